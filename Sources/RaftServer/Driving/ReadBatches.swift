import RaftCore
import RaftTransport

/// Reads on their way to being linearizable: everything that arrives between two flushes shares one read index.
struct ReadBatches: Sendable {
  private struct Batch: Sendable {
    /// The questions that were asked for it, the last one last. An answer to an earlier one is as good: ids never
    /// repeat, and a network that is slower than ``answerTicks`` would otherwise never get an answer in.
    var ids: [ReadID]
    var tickets: [UInt64]
    /// When the last question was asked, and the first one.
    var askedAt: Ticks
    let firstAskedAt: Ticks
  }

  /// A question whose answer does not come within this many ticks is asked again, under a new id.
  static let answerTicks = 20
  /// After a refusal, so many ticks pass before the next question: the cluster is between two leaders.
  static let retryTicks = 1
  /// The most batches under way; further reads share the next one.
  static let batchesMax = 8
  /// The most questions for one batch that may still be answered.
  static let idsMax = 16

  private let boot: UInt64
  private var lastNumber: UInt64 = 0
  private var gathering: [UInt64] = []
  private var notBefore = Ticks.zero
  private var asked: [Batch] = []
  private var confirmed: [(readIndex: LogIndex, tickets: [UInt64], askedAt: Ticks)] = []
  /// An instant, the latest known one, at which the state machine as it is now was not behind any write that had been
  /// acknowledged. It is the one at which a read was asked for: when the leader's answer was made is not known here.
  private(set) var currentAsOf: Ticks?

  init(boot: UInt64) { self.boot = boot }

  /// Whether there are reads that only wait for the state machine.
  var hasConfirmed: Bool { !confirmed.isEmpty }

  mutating func add(_ ticket: UInt64) { gathering.append(ticket) }

  /// The id under which something is to be asked now: again what is overdue, or what was gathered; nil if there is
  /// nothing to ask.
  mutating func ask(now: Ticks) -> ReadID? {
    if let overdue = asked.firstIndex(where: { $0.askedAt + Self.answerTicks <= now }) {
      if asked[overdue].ids.count == Self.idsMax { asked[overdue].ids.removeFirst() }
      asked[overdue].askedAt = now
      asked[overdue].ids.append(nextID())
      return asked[overdue].ids.last
    }
    guard !gathering.isEmpty, now >= notBefore, asked.count < Self.batchesMax else { return nil }
    let id = nextID()
    asked.append(Batch(ids: [id], tickets: gathering, askedAt: now, firstAskedAt: now))
    gathering = []
    return id
  }

  private mutating func nextID() -> ReadID {
    lastNumber += 1
    return ReadID(boot: boot, number: lastNumber)
  }

  /// Notes an answer; one to a batch that was answered before is ignored.
  mutating func settle(_ outcome: ReadOutcome, now: Ticks) {
    guard let position = asked.firstIndex(where: { $0.ids.contains(outcome.id) }) else { return }
    if let readIndex = outcome.readIndex {
      let batch = asked.remove(at: position)
      confirmed.append((readIndex, batch.tickets, batch.firstAskedAt))
    } else if asked[position].ids.last == outcome.id {
      askAgain(asked.remove(at: position), notBefore: now + Self.retryTicks)
    }
  }

  /// Gives up on all answers under way: the leader that was asked is gone.
  mutating func leaderChanged(now: Ticks) {
    while !asked.isEmpty { askAgain(asked.removeFirst(), notBefore: now) }
  }

  private mutating func askAgain(_ batch: Batch, notBefore instant: Ticks) {
    gathering = batch.tickets + gathering
    notBefore = instant
  }

  /// Forgets reads that have ended.
  mutating func removeAll(where hasEnded: (UInt64) -> Bool) {
    gathering.removeAll(where: hasEnded)
    for position in asked.indices { asked[position].tickets.removeAll(where: hasEnded) }
    asked.removeAll { $0.tickets.isEmpty }
    for position in confirmed.indices { confirmed[position].tickets.removeAll(where: hasEnded) }
    confirmed.removeAll { $0.tickets.isEmpty }
  }

  /// Takes the reads that a state machine which reflects `index` may answer.
  mutating func takeAnswerable(at index: LogIndex) -> [UInt64] {
    guard confirmed.contains(where: { $0.readIndex <= index }) else { return [] }
    var tickets: [UInt64] = []
    for batch in confirmed where batch.readIndex <= index {
      tickets += batch.tickets
      currentAsOf = max(currentAsOf ?? batch.askedAt, batch.askedAt)
    }
    confirmed.removeAll { $0.readIndex <= index }
    return tickets
  }

  /// When something has to be asked, or asked again, at the latest.
  var nextDeadline: Ticks? {
    let again = asked.first.map { $0.askedAt + Self.answerTicks }
    guard !gathering.isEmpty else { return again }
    return again.map { min($0, notBefore) } ?? notBefore
  }
}

extension DriverCore {
  /// Takes a linearizable read in.
  ///
  /// - Returns: Its ticket, and whether it was taken; if not, it has ended already.
  mutating func submitRead(deadline: Ticks) -> (ticket: UInt64, isTaken: Bool) {
    let isFull = requests.count >= options.requestsMax
    let ticket = requests.add(.init(body: .read, deadline: deadline, stage: .reading))
    if isFull {
      _ = requests.remove(ticket)
      endings.append(.read(ticket: ticket, .notExecuted(.busy)))
    } else {
      reads.add(ticket)
    }
    return (ticket, !isFull)
  }

  /// Whether there is somebody to ask how current a read must be.
  var canAskForReads: Bool {
    guard let leader = node.leader else { return false }
    return leader == id || links.isUp(leader, .consensus)
  }

  /// Asks for a read index for what was gathered, if there is somebody to ask.
  mutating func askForReads() {
    guard canAskForReads else { return }
    while let read = reads.ask(now: now.ticks) { node.readIndex(read, into: &outputs) }
  }
}
