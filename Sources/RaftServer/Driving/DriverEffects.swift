import RaftCore
import RaftTransport

/// What a write led to, on the node that was asked.
public enum WriteResult<Outcome: Sendable>: Sendable {
  /// The command ran; this is what it answered.
  case outcome(Outcome)
  /// A session was opened under this id.
  case opened(UInt64)
  /// A session was closed.
  case closed
  /// A change of the configuration was committed.
  case configured
}

/// What the shell is to carry out. Owned, drained and reused by the shell.
package struct DriverEffects: Sendable {
  /// Whole frames for one peer on one class of connection, in order.
  package struct Outbox: Sendable {
    package let peer: NodeID
    package let trafficClass: TrafficClass
    package internal(set) var writer = ByteWriter()
  }

  private(set) var outboxes: [Outbox] = []
  private(set) var events: [ReplicaEvent] = []
  /// The core's decisions; empty unless they were asked for.
  private(set) var traces: [TraceEvent] = []

  mutating func trace(_ events: [TraceEvent]) {
    if !events.isEmpty { traces += events }
  }

  package mutating func takeTraces() -> [TraceEvent] {
    defer { traces.removeAll(keepingCapacity: true) }
    return traces
  }

  mutating func report(_ event: ReplicaEvent) { events.append(event) }

  /// Appends to the frames for `peer`.
  mutating func write(
    to peer: NodeID, _ trafficClass: TrafficClass, _ frame: (inout ByteWriter) -> Void
  ) {
    let position = outboxes.firstIndex { $0.peer == peer && $0.trafficClass == trafficClass }
    if let position {
      frame(&outboxes[position].writer)
    } else {
      outboxes.append(Outbox(peer: peer, trafficClass: trafficClass))
      frame(&outboxes[outboxes.count - 1].writer)
    }
  }

  /// Gives away everything to be sent. To be followed by ``reuse(_:)``.
  package mutating func takeOutboxes() -> [Outbox] {
    defer { outboxes = [] }
    return outboxes
  }

  /// Takes back the outboxes, sent by now, so that their storage serves again.
  package mutating func reuse(_ sent: consuming [Outbox]) {
    guard outboxes.isEmpty else { return }
    outboxes = sent
    for position in outboxes.indices { outboxes[position].writer.bytes.removeAll(keepingCapacity: true) }
  }

  /// Forgets everything that was to be sent.
  mutating func disown() { outboxes = [] }

  package mutating func takeEvents() -> [ReplicaEvent] {
    defer { events.removeAll(keepingCapacity: true) }
    return events
  }
}
