import CEpoll
import Dispatch
import Glibc
import Synchronization

/// The thread of an ``EventLoop``.
///
/// It stands apart from the loop so that it does not keep it alive: the loop ends it when nobody holds the loop any more.
/// It is none of libdispatch's, of which there is a limited number: with a hundred loops in a process, nobody else would get
/// one.
///
/// With sources of libdispatch in place of this, each event wakes the thread that watches all sources of the process, which
/// wakes another one that runs the handler, and each of the two has to be told of the next event anew: for one group of
/// writes some fifteen calls of the system, and twice as many changes of threads.
///
/// `@unchecked Sendable`: the mailbox and the thread's name are for everybody, all else is touched on the thread only.
final class LoopThread: @unchecked Sendable {
  private struct Mailbox {
    var posted: [@Sendable () -> Void] = []
    /// Whether the thread looks into the mailbox before it waits again. If not, whoever posts has to wake it.
    var isAwake = true
    var hasEnded = false
  }

  private let label: String
  let poller = SocketPoller()
  var timers = TimerHeap()
  private let mailbox = Mutex(Mailbox())
  /// Which thread it is; 0 until it has begun.
  private let name = Atomic<UInt>(0)

  /// Timers are looked at so often at least, in milliseconds: they run on a clock that counts suspension, and waiting does
  /// not.
  private static let waitMax: UInt64 = 60_000

  /// Begins, on a thread that shows up under `label` in a debugger.
  init(label: String) {
    self.label = label
    start()
  }

  private func start() {
    var handle = pthread_t()
    let context = Unmanaged.passRetained(self)
    let status = pthread_create(
      &handle, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<LoopThread>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard status == 0 else {
      // The system has no thread left. One that libdispatch has already may become free.
      context.release()
      return DispatchQueue(label: label, qos: .userInteractive).async { self.run() }
    }
    pthread_detach(handle)
  }

  var isCurrent: Bool { name.load(ordering: .relaxed) == pthread_self() }

  /// Nanoseconds of `CLOCK_BOOTTIME`.
  static var nanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// Has `body` run on the thread, after everything posted before.
  func post(_ body: @escaping @Sendable () -> Void) {
    let mustWake = mailbox.withLock { mailbox in
      mailbox.posted.append(body)
      defer { mailbox.isAwake = true }
      return !mailbox.isAwake
    }
    // The thread itself looks into the mailbox before it waits again, also when a socket or a timer has made it post.
    if mustWake, !isCurrent { poller.wake() }
  }

  /// Ends the thread, once it has done what was posted before.
  func end() {
    mailbox.withLock { $0.hasEnded = true }
    poller.wake()
  }

  private func run() {
    name.store(pthread_self(), ordering: .relaxed)
    raftnode_name_thread(label)
    var posted: [@Sendable () -> Void] = []
    while true {
      poller.poll(milliseconds: prepareToWait())
      runTimers()
      let hasEnded = mailbox.withLock { mailbox in
        mailbox.isAwake = true
        swap(&posted, &mailbox.posted)
        return mailbox.hasEnded
      }
      for body in posted { body() }
      if hasEnded, posted.isEmpty { return }
      posted.removeAll(keepingCapacity: true)
    }
  }

  /// How long to wait for sockets, in milliseconds.
  private func prepareToWait() -> UInt64 {
    let mayWait = mailbox.withLock { mailbox in
      guard mailbox.posted.isEmpty, !mailbox.hasEnded else { return false }
      mailbox.isAwake = false
      return true
    }
    guard mayWait else { return 0 }
    guard let deadline = timers.earliestDeadline else { return Self.waitMax }
    // The clock shows whole milliseconds; the one that has begun may be nearly over.
    let now = Self.nanoseconds / 1_000_000
    return deadline > now ? min(deadline - now, Self.waitMax) : 0
  }

  private func runTimers() {
    guard timers.earliestDeadline != nil else { return }
    let now = Self.nanoseconds / 1_000_000
    while let action = timers.takeDue(at: now) { action() }
  }
}
