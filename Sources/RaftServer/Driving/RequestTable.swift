import RaftCore

/// The requests that a replica works on, by ticket: a number that counts up for the life of the process, so that order
/// of tickets is order of arrival.
struct RequestTable: Sendable {
  /// How far a request has come.
  enum Stage: Sendable {
    /// A write that has not been sent anywhere.
    case waiting
    /// A write in this node's log.
    case proposed
    /// A write that was handed to `leader` in `term`, unanswered.
    case forwarded(leader: NodeID, term: Term)
    /// A read; reads can be asked again at will, so no more is known of them here.
    case reading
  }

  /// What is wanted.
  enum Body: Sendable {
    case write(kind: CommandEnvelope.Kind, session: SessionStamp, operation: Bytes)
    /// What is asked is kept by whoever has the state machine.
    case read
    /// A change of who takes part, which is in this leader's log.
    case change
  }

  /// One request.
  struct Request: Sendable {
    var body: Body
    var deadline: Ticks
    var stage: Stage

    /// Size by which limits are accounted.
    var bytes: Int {
      if case .write(_, _, let operation) = body { operation.count } else { 0 }
    }
  }

  private var slots: [Request?] = []
  private var head = 0
  /// Ticket of `slots[head]`.
  private var firstTicket: UInt64 = 1
  /// How many requests there are.
  private(set) var count = 0
  /// Bytes of all writes among them.
  private(set) var bytes = 0

  /// Tickets that may be in use, ascending.
  var tickets: Range<UInt64> { firstTicket..<(firstTicket + UInt64(slots.count - head)) }

  /// Takes a request in and returns its ticket.
  mutating func add(_ request: Request) -> UInt64 {
    slots.append(request)
    count += 1
    bytes += request.bytes
    return firstTicket + UInt64(slots.count - head - 1)
  }

  /// The request under `ticket`; nil if it has ended.
  subscript(ticket: UInt64) -> Request? {
    guard tickets.contains(ticket) else { return nil }
    return slots[head + Int(ticket - firstTicket)]
  }

  mutating func setStage(_ stage: Stage, of ticket: UInt64) {
    guard tickets.contains(ticket) else { return }
    slots[head + Int(ticket - firstTicket)]?.stage = stage
  }

  /// Ends a request.
  mutating func remove(_ ticket: UInt64) -> Request? {
    guard tickets.contains(ticket) else { return nil }
    let slot = head + Int(ticket - firstTicket)
    guard let request = slots[slot] else { return nil }
    slots[slot] = nil
    count -= 1
    bytes -= request.bytes
    trim()
    return request
  }

  private mutating func trim() {
    while head < slots.count, slots[head] == nil {
      head += 1
      firstTicket += 1
    }
    if head == slots.count {
      slots.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 1024, head > slots.count / 2 {
      slots.removeFirst(head)
      head = 0
    }
  }
}
