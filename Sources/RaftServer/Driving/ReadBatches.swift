import RaftCore
import RaftTransport

/// Reads on their way to being linearizable: everything that arrives between two flushes shares one read index.
struct ReadBatches: Sendable {
  private struct Batch: Sendable {
    var id: ReadID
    var tickets: [UInt64]
    var askedAt: Ticks
  }

  /// An answer that does not come within this many ticks is asked for again, under a new id.
  static let answerTicks = 20
  /// After a refusal, so many ticks pass before the next question: the cluster is between two leaders.
  static let retryTicks = 1
  /// The most questions under way; further reads share the next one.
  static let batchesMax = 8

  private let boot: UInt64
  private var lastNumber: UInt64 = 0
  private var gathering: [UInt64] = []
  private var notBefore = Ticks.zero
  private var asked: [Batch] = []
  private var confirmed: [(readIndex: LogIndex, tickets: [UInt64])] = []

  init(boot: UInt64) { self.boot = boot }

  mutating func add(_ ticket: UInt64) { gathering.append(ticket) }

  /// The id under which the gathered reads are to be asked now; nil if there is nothing to ask.
  mutating func ask(now: Ticks) -> ReadID? {
    guard !gathering.isEmpty, now >= notBefore, asked.count < Self.batchesMax else { return nil }
    lastNumber += 1
    let id = ReadID(boot: boot, number: lastNumber)
    asked.append(Batch(id: id, tickets: gathering, askedAt: now))
    gathering = []
    return id
  }

  /// Notes an answer; one to a question that was given up is ignored.
  mutating func settle(_ outcome: ReadOutcome, now: Ticks) {
    guard let position = asked.firstIndex(where: { $0.id == outcome.id }) else { return }
    let batch = asked.remove(at: position)
    if let readIndex = outcome.readIndex {
      confirmed.append((readIndex, batch.tickets))
    } else {
      askAgain(batch, notBefore: now + Self.retryTicks)
    }
  }

  /// Gives up on answers that are overdue.
  mutating func expire(now: Ticks) {
    while let oldest = asked.first, oldest.askedAt + Self.answerTicks <= now {
      askAgain(asked.removeFirst(), notBefore: now)
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

  /// Takes the reads that a state machine which reflects `index` may answer.
  mutating func takeAnswerable(at index: LogIndex) -> [UInt64] {
    guard confirmed.contains(where: { $0.readIndex <= index }) else { return [] }
    var tickets: [UInt64] = []
    for batch in confirmed where batch.readIndex <= index { tickets += batch.tickets }
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

extension Driver {
  /// Takes a linearizable read in.
  ///
  /// - Returns: Its ticket, under which exactly one completion will follow.
  package mutating func submit(_ query: Machine.Query, deadline: Ticks) -> UInt64 {
    let isFull = requests.count >= options.requestsMax
    let ticket = requests.add(.init(body: .read(query), deadline: deadline, stage: .reading))
    if isFull {
      _ = requests.remove(ticket)
      effects.complete(.read(ticket: ticket, .failure(.notExecuted(.busy))))
    } else {
      reads.add(ticket)
    }
    return ticket
  }

  /// Asks for a read index for what was gathered, if there is somebody to ask.
  mutating func askForReads() {
    guard let leader = node.leader, leader == id || links.isUp(leader, .consensus) else { return }
    while let read = reads.ask(now: now.ticks) { node.readIndex(read, into: &outputs) }
  }

  /// Answers the reads that the state machine has caught up with.
  mutating func answerReads() {
    for ticket in reads.takeAnswerable(at: node.appliedIndex) {
      guard let request = requests.remove(ticket), case .read(let query) = request.body else { continue }
      effects.complete(.read(ticket: ticket, .success(applier.machine.read(query))))
    }
  }
}
