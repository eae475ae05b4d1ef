import Dispatch
import Glibc

/// One serial queue on which everything of a node's shell happens: sockets, timers, and whatever else is
/// posted to it.
///
/// libdispatch on Linux wants a source to be created, activated, cancelled and closed on its own serial
/// queue; done from elsewhere, a churn of connections crashed or hung it. So classes that own sources are
/// confined to one loop and check it at their entry points.
///
/// `@unchecked Sendable`: `queue` and `scratch` never change, and everything else is touched on the queue
/// only.
public final class EventLoop: @unchecked Sendable {
  private let queue: DispatchQueue
  private let identity = DispatchSpecificKey<ObjectIdentifier>()
  /// Where sockets read into. One for the loop, not one for each connection: 10,000 idle clients cost
  /// nothing.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: EventLoop.readBytesMax, alignment: 16)
  private var timers = TimerHeap()
  private var timerSource: (any DispatchSourceTimer)?
  private var armedDeadline: UInt64?
  private var madePoller: SocketPoller?

  /// The most that one read takes from a socket, in bytes.
  static let readBytesMax = 64 << 10

  /// Makes a loop whose thread shows up under `label` in a debugger.
  public init(label: String = "raftnode.loop") {
    queue = DispatchQueue(label: label, qos: .userInteractive)
    queue.setSpecific(key: identity, value: ObjectIdentifier(self))
  }

  deinit {
    scratch.deallocate()
    // Unsafe only by name: nobody else can reach these any more.
    nonisolated(unsafe) let (source, poller) = (timerSource, madePoller)
    guard source != nil || poller != nil else { return }
    queue.async {
      source?.cancel()
      // The poller cancels its source here, and not on whatever thread lets go of the loop.
      withExtendedLifetime(poller) {}
    }
  }

  /// Whether the caller is on the loop.
  public var isCurrent: Bool { DispatchQueue.getSpecific(key: identity) == ObjectIdentifier(self) }

  /// Runs `body` on the loop and waits for its result; at once if the caller is on the loop already. For
  /// start-up and tests: the path of a request never waits.
  public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    if isCurrent { return try body() }
    return try queue.sync(execute: body)
  }

  /// Runs `body` on the loop in a later turn, after everything posted before.
  public func async(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

  /// Traps unless the caller is on the loop.
  public func preconditionOnLoop() { dispatchPrecondition(condition: .onQueue(queue)) }

  /// Nanoseconds of a monotonic clock that counts suspension (`CLOCK_BOOTTIME`): a machine that was put to
  /// sleep for an hour must not believe that its lease is still fresh.
  public var nanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// The same clock in whole milliseconds.
  public var milliseconds: UInt64 { nanoseconds / 1_000_000 }

  // MARK: - Timers

  /// Runs `action` on the loop once ``milliseconds`` has reached `deadline`, unless it is cancelled before.
  @discardableResult
  public func schedule(at deadline: UInt64, _ action: @escaping () -> Void) -> LoopTimer {
    preconditionOnLoop()
    let timer = timers.insert(deadline: deadline, action: action)
    arm()
    return timer
  }

  /// Runs `action` on the loop `milliseconds` from now.
  @discardableResult
  public func schedule(after milliseconds: UInt64, _ action: @escaping () -> Void) -> LoopTimer {
    schedule(at: self.milliseconds &+ milliseconds, action)
  }

  private func arm() {
    guard let deadline = timers.earliestDeadline else {
      if armedDeadline != nil { timerSource?.schedule(deadline: .distantFuture) }
      armedDeadline = nil
      return
    }
    guard deadline != armedDeadline else { return }
    armedDeadline = deadline
    let source = timerSource ?? makeTimerSource()
    let (due, now) = (deadline.multipliedReportingOverflow(by: 1_000_000), nanoseconds)
    guard !due.overflow else { return source.schedule(deadline: .distantFuture) }
    // A day at most: the clocks drift apart, and the timer is set again when it fires too early.
    let wait = min(due.partialValue > now ? due.partialValue - now : 0, 86_400_000_000_000)
    source.schedule(deadline: .now() + .nanoseconds(Int(wait)), leeway: .nanoseconds(0))
  }

  private func makeTimerSource() -> any DispatchSourceTimer {
    let source = DispatchSource.makeTimerSource(flags: .strict, queue: queue)
    source.setEventHandler { [weak self] in self?.fire() }
    source.schedule(deadline: .distantFuture)
    source.activate()
    timerSource = source
    return source
  }

  private func fire() {
    armedDeadline = nil
    let now = milliseconds
    while let action = timers.takeDue(at: now) { action() }
    arm()
  }

  /// What watches the sockets of this loop.
  var poller: SocketPoller {
    preconditionOnLoop()
    if let madePoller { return madePoller }
    let poller = SocketPoller(queue: queue)
    madePoller = poller
    return poller
  }
}
