/// An action that an ``EventLoop`` runs later. Used on its loop only.
public final class LoopTimer {
  fileprivate let deadline: UInt64
  fileprivate let sequence: UInt64
  fileprivate var action: (() -> Void)?

  fileprivate init(deadline: UInt64, sequence: UInt64, action: @escaping () -> Void) {
    self.deadline = deadline
    self.sequence = sequence
    self.action = action
  }

  /// Makes sure that the action does not run, if it has not yet. What it holds is let go at once.
  public func cancel() { action = nil }

  fileprivate var isCancelled: Bool { action == nil }

  fileprivate static func < (left: LoopTimer, right: LoopTimer) -> Bool {
    (left.deadline, left.sequence) < (right.deadline, right.sequence)
  }
}

/// The timers of one loop: a binary heap by deadline, then by order of scheduling. Cancelled timers stay
/// until they are due or make up half of the heap, so that cancelling costs nothing.
struct TimerHeap {
  private var heap: [LoopTimer] = []
  private var sequence: UInt64 = 0
  private var sweepCount = 64

  /// When the earliest timer that is not cancelled is due.
  var earliestDeadline: UInt64? {
    mutating get {
      while let first = heap.first, first.isCancelled { removeFirst() }
      return heap.first?.deadline
    }
  }

  mutating func insert(deadline: UInt64, action: @escaping () -> Void) -> LoopTimer {
    sweep()
    sequence += 1
    let timer = LoopTimer(deadline: deadline, sequence: sequence, action: action)
    heap.append(timer)
    siftUp(from: heap.count - 1)
    return timer
  }

  /// Takes out the action of the earliest timer that is due.
  mutating func takeDue(at now: UInt64) -> (() -> Void)? {
    guard let deadline = earliestDeadline, deadline <= now else { return nil }
    let timer = removeFirst()
    defer { timer.action = nil }
    return timer.action
  }

  private mutating func sweep() {
    guard heap.count >= sweepCount else { return }
    heap.removeAll { $0.isCancelled }
    // A sorted array is a heap.
    heap.sort { $0 < $1 }
    sweepCount = max(64, heap.count * 2)
  }

  @discardableResult
  private mutating func removeFirst() -> LoopTimer {
    heap.swapAt(0, heap.count - 1)
    let removed = heap.removeLast()
    siftDown()
    return removed
  }

  private mutating func siftUp(from position: Int) {
    var child = position
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[smallest] {
        smallest = child
      }
      guard smallest != parent else { return }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
