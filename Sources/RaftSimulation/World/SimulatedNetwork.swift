import RaftCore
import RaftTransport

/// What can come to pass at a tick.
enum SimulatedEvent {
  /// A frame arrives.
  case frame(Frame, from: Int, to: Int, number: UInt64, generation: UInt32, life: UInt64)
  /// A message arrives that was kept back, on no connection.
  case late(Frame, from: Int, to: Int, number: UInt64)
  /// A cut that an ambush has made mends.
  case mend(cut: Int)
  /// A node learns something of a connection.
  case link(LinkChange, of: Int, peer: NodeID, TrafficClass, life: UInt64)
  /// A node dials another.
  case dial(from: Int, to: Int)
  /// A connection that flaps breaks once more.
  case flap(from: Int, to: Int, left: Int)
  /// A disk has done something.
  case disk(Int, life: UInt64)
  /// A node's own deadline.
  case wake(Int, life: UInt64)
  /// A process ends.
  case end(Int, life: UInt64)
  /// A process starts.
  case start(Int)
  /// A client does what it has to do next.
  case client(Int)
  /// A client becomes impatient with an operation.
  case impatience(Int, operation: Int)

  enum LinkChange {
    case up
    case down
    case inboundDown
  }
}

/// Connections between hosts: each is a stream in order, that may break. Protocol messages may also be lost, doubled and
/// overtaken, as if each had a connection of its own.
struct SimulatedNetwork {
  /// The connection that one host has dialled to another.
  struct Link {
    var isUp = false
    /// Grows whenever the connection breaks; frames of an earlier generation are lost.
    var generation: UInt32 = 0
    /// Nothing arrives before what was sent earlier on the same connection.
    var lastArrival: [UInt64] = [0, 0]
    /// Whether something that is sent in order was lost on it: as soon as it can be noticed, the connection breaks.
    var hasHole = false
  }

  let count: Int
  var links: [Link]
  /// Pairs that cannot reach each other, one way.
  var blocked: [Bool]
  var lossPerMille: Int
  var duplicatePerMille: Int
  var delayTicksMax: Int
  /// Whether the next piece of a snapshot arrives garbled.
  var garblesNextPiece = false
  /// Until when many messages are lost.
  var burstUntil: UInt64 = 0

  init(count: Int, profile: SimulationProfile) {
    self.count = count
    links = Array(repeating: Link(), count: count * count)
    blocked = Array(repeating: false, count: count * count)
    lossPerMille = profile.lossPerMille
    duplicatePerMille = profile.duplicatePerMille
    delayTicksMax = profile.delayTicksMax
  }

  func place(_ from: Int, _ to: Int) -> Int { from * count + to }

  mutating func heal() { blocked = Array(repeating: false, count: count * count) }

  /// Nothing is lost, doubled or late any more.
  mutating func calmDown() {
    heal()
    (lossPerMille, duplicatePerMille, burstUntil) = (0, 0, 0)
    delayTicksMax = min(delayTicksMax, 2)
  }
}
