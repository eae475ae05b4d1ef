/// Names one *incarnation* of a node: a random number, never derived from an address.
///
/// A node that lost its state comes back under a new id, so it can neither vote twice in a term nor be counted
/// for entries that it no longer has.
public struct NodeID: Hashable, Comparable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// The random number itself; 0 stands for "no node" on the wire and on disk and is never given to a node.
  public var rawValue: UInt64

  /// Wraps a raw number.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Orders by number.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The id as it stands in logs: `n` and the number in base 36, which keeps 64 random bits short.
  public var description: String { "n" + String(rawValue, radix: 36) }
}

/// Names a cluster: a random number chosen once, when the cluster is founded. Peers of different clusters refuse
/// each other.
public struct ClusterID: Hashable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// The random number itself; 0 stands for "in no cluster yet".
  public var rawValue: UInt64

  /// Wraps a raw number.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// The id as it stands in logs.
  public var description: String { "c" + String(rawValue, radix: 36) }
}

/// A term: Raft's logical clock, which numbers elections (thesis §3.3).
public struct Term: Hashable, Comparable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// The number itself; 0 precedes every election.
  public var rawValue: UInt64

  /// Wraps a raw number.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Orders by number.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The term that a candidate campaigns in.
  public var next: Term { Term(rawValue + 1) }

  /// The term before the first election.
  public static let zero = Term(0)

  /// The highest term that is taken from a peer. A frame that claims more is ignored: adopting `UInt64.max` would
  /// make the next campaign overflow.
  public static let highestPlausible = Term(1 << 62)

  /// The value in words, as logs print it.
  public var description: String { String(rawValue) }
}

/// The position of an entry in the log; the first entry has index 1, and 0 stands before it.
public struct LogIndex: Hashable, Comparable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// The number itself.
  public var rawValue: UInt64

  /// Wraps a raw number.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Orders by number.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The index after this one.
  public var next: LogIndex { LogIndex(rawValue + 1) }

  /// The index before this one; the one before 0 is 0.
  public var previous: LogIndex { LogIndex(rawValue == 0 ? 0 : rawValue - 1) }

  /// The index `count` entries further.
  public func advanced(by count: Int) -> LogIndex { LogIndex(rawValue + UInt64(count)) }

  /// How many entries lie in `(self, other]`; 0 if `other` is not beyond this index.
  public func distance(to other: LogIndex) -> Int { other > self ? Int(other.rawValue - rawValue) : 0 }

  /// The place before the first entry.
  public static let zero = LogIndex(0)

  /// The highest index that is taken from a peer, for the reason given at ``Term/highestPlausible``.
  public static let highestPlausible = LogIndex(1 << 62)

  /// The value in words, as logs print it.
  public var description: String { String(rawValue) }
}

/// A term and an index: together they name one entry for ever (thesis §3.5, log matching).
///
/// Ordered by term, then index: the order in which a log is "at least as up-to-date" as another (thesis §3.6.1).
public struct EntryID: Hashable, Comparable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// The term in which a leader created the entry.
  public var term: Term
  /// Where the entry stands in the log.
  public var index: LogIndex

  /// Pairs a term with an index.
  public init(term: Term, index: LogIndex) {
    self.term = term
    self.index = index
  }

  /// Orders by number.
  public static func < (left: Self, right: Self) -> Bool {
    (left.term, left.index) < (right.term, right.index)
  }

  /// The place before the first entry of every log.
  public static let zero = EntryID(term: .zero, index: .zero)

  /// As traces print it: `index@term`.
  public var description: String { "\(index)@\(term)" }
}

/// Names one linearizable read. It never repeats: `boot` is a random number that the driver draws at each start.
///
/// Counter-example that this prevents (a follower that counts from 1 again after a restart):
/// 1. Follower F asks for read 1; the confirmation, for commit index 5, is delayed in the network.
/// 2. F restarts. Others commit entry 6, and its client is told so.
/// 3. F asks for *its* read 1. The old confirmation arrives, and F answers from index 5: a stale read.
public struct ReadID: Hashable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// Random, drawn when the asking process started.
  public var boot: UInt64
  /// Counts the reads of one boot.
  public var number: UInt64

  /// Names read `number` of the process that drew `boot`.
  public init(boot: UInt64, number: UInt64) {
    self.boot = boot
    self.number = number
  }

  /// The value in words, as logs print it.
  public var description: String { "r\(number)/\(String(boot, radix: 36))" }
}

/// Logical time: a count of ticks on a monotonic clock that the driver owns.
public struct Ticks: Hashable, Comparable, BitwiseCopyable, Sendable, CustomStringConvertible {
  /// Ticks since the driver's clock began.
  public var rawValue: UInt64

  /// Wraps a count of ticks.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Orders by number.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The instant `ticks` later.
  public static func + (instant: Ticks, ticks: Int) -> Ticks { Ticks(instant.rawValue &+ UInt64(ticks)) }

  /// When the driver's clock began.
  public static let zero = Ticks(0)

  /// The value in words, as logs print it.
  public var description: String { "t\(rawValue)" }
}
