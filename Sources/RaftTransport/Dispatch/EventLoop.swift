import Dispatch
import Glibc

/// Something that one thread has another one do, and waits for.
///
/// `@unchecked Sendable`: the semaphore orders what the two do with it.
private final class Errand<Value, Failure: Error>: @unchecked Sendable {
  private var body: (() throws(Failure) -> Value)?
  private var result: Result<Value, Failure>?
  private let isDone = DispatchSemaphore(value: 0)

  init(_ body: @escaping () throws(Failure) -> Value) { self.body = body }

  func run() {
    result = takeResult()
    isDone.signal()
  }

  /// Lets go of the body, which must not be held any more when the other thread goes on.
  private func takeResult() -> Result<Value, Failure>? {
    guard let body = body.take() else { return nil }
    return Result { () throws(Failure) in try body() }
  }

  func wait() throws(Failure) -> Value {
    isDone.wait()
    guard let result else { preconditionFailure("whoever signals has left a result") }
    return try result.get()
  }
}

/// One thread on which everything of a node's shell happens: sockets, timers, and whatever else is posted to it.
///
/// It waits in one call of the system for whatever comes first: bytes, a deadline, or somebody who posts (see ``LoopThread``).
/// Classes that own sockets are confined to one loop, and check it at their entry points.
///
/// `@unchecked Sendable`: `thread` and `scratch` never change, and everything behind them but the mailbox is touched on the
/// loop only.
public final class EventLoop: @unchecked Sendable {
  private let thread: LoopThread
  /// Where sockets read into. One for the loop, not one for each connection: 10,000 idle clients cost
  /// nothing.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: EventLoop.readBytesMax, alignment: 16)

  /// The most that one read takes from a socket, in bytes.
  static let readBytesMax = 64 << 10

  /// Makes a loop whose thread shows up under `label` in a debugger.
  public init(label: String = "raftnode.loop") {
    thread = LoopThread(label: label)
  }

  deinit {
    // Nobody else can reach either any more.
    scratch.deallocate()
    thread.end()
  }

  /// Whether the caller is on the loop.
  public var isCurrent: Bool { thread.isCurrent }

  /// Runs `body` on the loop and waits for its result; at once if the caller is on the loop already. For
  /// start-up and tests: the path of a request never waits.
  public func run<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    if isCurrent { return try body() }
    return try withoutActuallyEscaping(body) { (body) throws(Failure) -> Result in
      let errand = Errand(body)
      thread.post { errand.run() }
      return try errand.wait()
    }
  }

  /// Runs `body` on the loop in a later turn, after everything posted before.
  public func async(_ body: @escaping @Sendable () -> Void) { thread.post(body) }

  /// Traps unless the caller is on the loop.
  public func preconditionOnLoop() { precondition(isCurrent, "this is used on its event loop only") }

  /// Nanoseconds of a monotonic clock that counts suspension (`CLOCK_BOOTTIME`): a machine that was put to
  /// sleep for an hour must not believe that its lease is still fresh.
  public var nanoseconds: UInt64 { LoopThread.nanoseconds }

  /// The same clock in whole milliseconds.
  public var milliseconds: UInt64 { nanoseconds / 1_000_000 }

  /// Runs `action` on the loop once ``milliseconds`` has reached `deadline`, unless it is cancelled before.
  @discardableResult
  public func schedule(at deadline: UInt64, _ action: @escaping () -> Void) -> LoopTimer {
    preconditionOnLoop()
    return thread.timers.insert(deadline: deadline, action: action)
  }

  /// Runs `action` on the loop `milliseconds` from now.
  @discardableResult
  public func schedule(after milliseconds: UInt64, _ action: @escaping () -> Void) -> LoopTimer {
    schedule(at: self.milliseconds &+ milliseconds, action)
  }

  /// What watches the sockets of this loop.
  var poller: SocketPoller {
    preconditionOnLoop()
    return thread.poller
  }
}
