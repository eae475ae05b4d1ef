import CEpoll
import Dispatch
import Glibc

/// Somebody who waits for a socket.
protocol PollTarget: AnyObject {
  /// The socket can be read from or written to, as far as it was asked for, or the other side is gone.
  func socketIsReady(isReadable: Bool, isWritable: Bool)
}

/// Watches all sockets of a loop with one descriptor of epoll, which in turn one source of libdispatch watches.
///
/// With a source for each socket, every event costs four calls of the system and a change of threads in libdispatch; here
/// that is shared by all sockets that are ready at the same time. It also keeps clear of what libdispatch on Linux gets
/// wrong when sources come and go quickly.
///
/// Confined to its loop.
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
  /// How often one turn of the loop looks again before others get theirs.
  private static let roundsPerTurn = 4

  private let descriptor: Int32
  private var source: (any DispatchSourceRead)?
  private var slots: [Slot] = []
  private var free: [UInt32] = []
  private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: SocketPoller.eventsMax)

  init(queue: DispatchQueue) {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    // Without it no socket can be added, and whoever wants to is told.
    guard descriptor >= 0 else { return }
    let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    source.setEventHandler { [weak self] in self?.turn() }
    let descriptor = descriptor
    source.setCancelHandler { close(descriptor) }
    self.source = source
    source.activate()
  }

  deinit {
    events.deallocate()
    source?.cancel()
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
    guard control(EPOLL_CTL_ADD, token, interest) else {
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

  private func turn() {
    for _ in 0..<Self.roundsPerTurn {
      let count = Int(epoll_wait(descriptor, events, Int32(Self.eventsMax), 0))
      guard count > 0 else { return }
      for position in 0..<count { deliver(events[position]) }
      // What is left is announced again.
      if count < Self.eventsMax { return }
    }
  }

  private func deliver(_ event: epoll_event) {
    let slot = slots[Int(event.data.u64 & 0xFFFF_FFFF)]
    // Somebody who was called before may have closed this one.
    guard slot.generation == UInt32(event.data.u64 >> 32), let target = slot.target else { return }
    let isGone = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
    target.socketIsReady(
      isReadable: isGone || event.events & EPOLLIN.rawValue != 0,
      isWritable: isGone || event.events & EPOLLOUT.rawValue != 0)
  }
}
