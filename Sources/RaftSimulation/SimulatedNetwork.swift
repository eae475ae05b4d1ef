import RaftCore
import RaftTransport

/// Connections between simulated nodes: each is a stream in order, that may break; protocol messages may also be lost,
/// doubled and overtaken, as if each had a connection of its own.
struct SimulatedNetwork {
  /// What arrives somewhere.
  enum Event {
    case frame(Bytes)
    case linkUp(TrafficClass)
    case linkDown(TrafficClass)
    case inboundDown(TrafficClass)
  }

  struct Delivery {
    var at: UInt64
    var order: UInt64
    var from: Int
    var to: Int
    /// Life of the receiver that the delivery is for; a restarted process has other connections.
    var life: UInt64
    var event: Event
  }

  struct Link {
    var isUp = false
    /// Nothing on this connection arrives before what was sent earlier on it.
    var lastArrival: UInt64 = 0
    /// Grows whenever the connection breaks.
    var generation: UInt64 = 0
  }

  /// Binary heap by time, then by order of sending.
  private var heap: [Delivery] = []
  private var nextOrder: UInt64 = 0
  /// Pairs `from * nodes + to` that cannot reach each other.
  var blocked: Set<Int> = []

  var nextTime: UInt64? { heap.first?.at }

  mutating func schedule(at time: UInt64, from: Int, to: Int, life: UInt64, _ event: Event) {
    nextOrder += 1
    insert(Delivery(at: time, order: nextOrder, from: from, to: to, life: life, event: event))
  }

  /// Puts a delivery off. It keeps its place among those of the same time, so that a stream stays in order.
  mutating func postpone(_ delivery: Delivery, to time: UInt64) {
    var delivery = delivery
    delivery.at = time
    insert(delivery)
  }

  private mutating func insert(_ delivery: Delivery) {
    heap.append(delivery)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard isBefore(child, parent) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Delivery? {
    guard !heap.isEmpty else { return nil }
    heap.swapAt(0, heap.count - 1)
    let first = heap.removeLast()
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, smallest) {
        smallest = child
      }
      guard smallest != parent else { return first }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }

  /// Drops the frames that are on their way from one node to another.
  mutating func drop(from: Int, to: Int) {
    let rest = heap.filter { delivery in
      if case .frame = delivery.event { return !(delivery.from == from && delivery.to == to) }
      return true
    }.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
    heap = rest
  }

  private func isBefore(_ left: Int, _ right: Int) -> Bool {
    (heap[left].at, heap[left].order) < (heap[right].at, heap[right].order)
  }
}
