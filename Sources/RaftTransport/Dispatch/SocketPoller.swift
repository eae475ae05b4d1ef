import CEpoll
import Glibc

/// Somebody who waits for a socket.
protocol PollTarget: AnyObject {
  /// The socket can be read from or written to, as far as it was asked for, or the other side is gone.
  func socketIsReady(isReadable: Bool, isWritable: Bool)
}

/// Watches all sockets of a loop with one descriptor of epoll, and waits for them.
///
/// Confined to its loop, but for ``wake()``.
final class SocketPoller {
  /// What a socket is watched for.
  struct Interest: OptionSet {
    let rawValue: UInt32
    static let reading = Interest(rawValue: EPOLLIN.rawValue)
    static let writing = Interest(rawValue: EPOLLOUT.rawValue)
  }

  /// Names a watched socket; a later one with the same descriptor has another token.
  struct Token: Hashable {
    fileprivate let slot: UInt32
    fileprivate let generation: UInt32
  }

  private struct Slot {
    var target: (any PollTarget)?
    var descriptor: Int32 = -1
    var generation: UInt32 = 0
  }

  private static let eventsMax = 512
  /// Names the descriptor by which the loop is woken among the events.
  private static let waking = UInt64.max
  /// How long to wait when there is nothing to wait with, in nanoseconds.
  private static let restNanoseconds = 1_000_000

  private let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
  private let waker = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
  /// Whether it has what it waits with, and can be woken. If not, the system had no descriptors or no memory left: no socket
  /// can be added, which whoever wants to is told.
  private let canWait: Bool
  private var slots: [Slot] = []
  private var free: [UInt32] = []
  private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: SocketPoller.eventsMax)

  init() {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue
    event.data.u64 = Self.waking
    canWait = waker >= 0 && epoll_ctl(descriptor, EPOLL_CTL_ADD, waker, &event) == 0
  }

  deinit {
    events.deallocate()
    if waker >= 0 { close(waker) }
    if descriptor >= 0 { close(descriptor) }
  }

  /// Ends a wait, or the next one. From any thread.
  func wake() {
    var one: UInt64 = 1
    _ = write(waker, &one, MemoryLayout<UInt64>.size)
  }

  /// Begins to watch a socket.
  ///
  /// - Returns: Its token; nil if the system refuses.
  func add(_ socket: Int32, _ interest: Interest, for target: any PollTarget) -> Token? {
    let slot = free.popLast() ?? UInt32(slots.count)
    if Int(slot) == slots.count { slots.append(Slot()) }
    slots[Int(slot)].target = target
    slots[Int(slot)].descriptor = socket
    let token = Token(slot: slot, generation: slots[Int(slot)].generation)
    guard canWait, control(EPOLL_CTL_ADD, token, interest) else {
      remove(token)
      return nil
    }
    return token
  }

  /// Watches a socket for something else from now on.
  func change(_ token: Token, to interest: Interest) { _ = control(EPOLL_CTL_MOD, token, interest) }

  /// Watches a socket no longer: its target is not called any more. The descriptor may be closed then.
  func remove(_ token: Token) {
    guard slots[Int(token.slot)].generation == token.generation else { return }
    _ = control(EPOLL_CTL_DEL, token, [])
    slots[Int(token.slot)].target = nil
    slots[Int(token.slot)].generation &+= 1
    free.append(token.slot)
  }

  private func control(_ operation: Int32, _ token: Token, _ interest: Interest) -> Bool {
    var event = epoll_event()
    event.events = interest.rawValue
    event.data.u64 = UInt64(token.generation) << 32 | UInt64(token.slot)
    return epoll_ctl(descriptor, operation, slots[Int(token.slot)].descriptor, &event) == 0
  }

  /// Waits until a socket is ready, somebody wakes it, or the time is over, and tells whoever is ready.
  func poll(milliseconds: UInt64) {
    guard canWait else { return rest(milliseconds) }
    let count = epoll_wait(descriptor, events, Int32(Self.eventsMax), Int32(clamping: milliseconds))
    // What is left is announced again.
    for position in 0..<max(0, Int(count)) { deliver(events[position]) }
  }

  private func rest(_ milliseconds: UInt64) {
    guard milliseconds > 0 else { return }
    var time = timespec(tv_sec: 0, tv_nsec: Self.restNanoseconds)
    nanosleep(&time, nil)
  }

  private func deliver(_ event: epoll_event) {
    if event.data.u64 == Self.waking {
      var count: UInt64 = 0
      _ = read(waker, &count, MemoryLayout<UInt64>.size)
      return
    }
    let slot = slots[Int(event.data.u64 & 0xFFFF_FFFF)]
    // Somebody who was called before may have closed this one.
    guard slot.generation == UInt32(event.data.u64 >> 32), let target = slot.target else { return }
    let isGone = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
    target.socketIsReady(
      isReadable: isGone || event.events & EPOLLIN.rawValue != 0,
      isWritable: isGone || event.events & EPOLLOUT.rawValue != 0)
  }
}
