/// What the driver should do now. Owned, drained and reused by the driver; once warm it never allocates.
///
/// Every message may be sent at once, in any order, or be lost: none of them depends on a write still in flight.
public struct Outputs: Sendable {
  /// Messages for other nodes.
  public private(set) var messages: [Message] = []
  /// Answers to ``RaftNode/readIndex(_:into:)``.
  public private(set) var reads: [ReadOutcome] = []
  /// Pieces of a snapshot to be stored, in order; the bytes are those that came with the message. What to do with them:
  /// ``RaftNode/didStoreChunk(fingerprint:through:into:)``.
  public private(set) var chunks: [InstallSnapshot] = []
  /// Snapshots of which nothing more will be received, and whose stored pieces can be thrown away. They appear when a
  /// newer snapshot begins to arrive, when the log has got there without them, when a piece could not be stored or did not
  /// verify, and when this node becomes leader: of whatever call brings that about, `step` and `didStoreChunk` as well as
  /// `advance` and `didPersist`. What is in ``chunks`` of the same call is newer and stays.
  public private(set) var discardedSnapshots: [Snapshot] = []
  /// What was decided, in order; stays empty unless tracing was asked for.
  public private(set) var events: [TraceEvent] = []
  private let isTracing: Bool

  /// Makes an empty sink.
  ///
  /// - Parameter isTracing: Whether to collect ``events``; they cost nothing otherwise.
  public init(isTracing: Bool = false) { self.isTracing = isTracing }

  /// Forgets everything, keeping the storage.
  public mutating func removeAll() {
    // Most of them are empty most of the time, and looking costs less than clearing.
    if !messages.isEmpty { messages.removeAll(keepingCapacity: true) }
    if !reads.isEmpty { reads.removeAll(keepingCapacity: true) }
    if !chunks.isEmpty { chunks.removeAll(keepingCapacity: true) }
    if !discardedSnapshots.isEmpty { discardedSnapshots.removeAll(keepingCapacity: true) }
    if !events.isEmpty { events.removeAll(keepingCapacity: true) }
  }

  mutating func send(_ message: Message) { messages.append(message) }

  mutating func store(_ chunk: InstallSnapshot) { chunks.append(chunk) }

  mutating func discard(_ snapshot: Snapshot) { discardedSnapshots.append(snapshot) }

  mutating func answer(_ outcome: ReadOutcome) { reads.append(outcome) }

  mutating func trace(_ event: @autoclosure () -> TraceEvent) {
    if isTracing { events.append(event()) }
  }
}

/// The answer to one read: every read that reaches a leader gets exactly one.
public struct ReadOutcome: Hashable, BitwiseCopyable, Sendable {
  /// Which read.
  public var id: ReadID
  /// The state as of this index, or later, may answer; nil if the read was refused: there is no leader, or it lost its
  /// leadership, or too many reads wait.
  public var readIndex: LogIndex?
}
