import Dispatch
import Glibc

/// A listening TCP socket that hands out the connections it accepts.
///
/// `@unchecked Sendable`: confined to its loop, like ``StreamConnection``.
final class StreamListener: PollTarget, @unchecked Sendable {
  private let loop: EventLoop
  private let descriptor: Int32
  private var token: SocketPoller.Token?
  private var isSuspended = false
  private var isClosed = false
  private let accepted: (Int32, SocketAddress) -> Void

  private static let backlog: Int32 = 4_096
  private static let acceptsPerTurn = 64
  /// How long accepting rests when the system has no descriptor left: the waiting connection stays
  /// readable, and trying again at once would spin.
  private static let restMilliseconds: UInt64 = 100

  /// Listens on the first address of `endpoint` that can be used. `accepted` is given each connection's
  /// descriptor, which it has to close.
  ///
  /// - Throws: ``TransportError`` of the last address that was tried.
  init(
    loop: EventLoop, endpoint: Endpoint, accepted: @escaping (Int32, SocketAddress) -> Void
  ) throws(TransportError) {
    loop.preconditionOnLoop()
    self.loop = loop
    self.accepted = accepted
    descriptor = try Self.listen(on: endpoint)
    token = loop.poller.add(descriptor, .reading, for: self)
    guard token != nil else {
      Glibc.close(descriptor)
      throw TransportError(operation: "epoll_ctl", address: "\(endpoint)", errorNumber: errno)
    }
  }

  func socketIsReady(isReadable: Bool, isWritable: Bool) { acceptAvailable() }

  /// Stops listening; `completion` runs on the loop when the port is free again.
  func close(then completion: @escaping @Sendable () -> Void = {}) {
    loop.preconditionOnLoop()
    guard !isClosed, let token else { return completion() }
    isClosed = true
    loop.poller.remove(token)
    Glibc.close(descriptor)
    loop.async(completion)
  }

  private func acceptAvailable() {
    for _ in 0..<Self.acceptsPerTurn {
      guard !isClosed, !isSuspended else { return }
      let remote = SocketAddress.filled { accept(descriptor, $0, $1) }
      guard remote.result < 0 else {
        _ = fcntl(remote.result, F_SETFL, fcntl(remote.result, F_GETFL) | O_NONBLOCK)
        _ = fcntl(remote.result, F_SETFD, FD_CLOEXEC)
        accepted(remote.result, remote.address)
        continue
      }
      switch errno {
      case EAGAIN, EWOULDBLOCK: return
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return rest()
      default: continue  // This connection failed before it was accepted; the next one need not.
      }
    }
    loop.async { self.acceptAvailable() }
  }

  private func rest() {
    isSuspended = true
    if let token { loop.poller.change(token, to: []) }
    loop.schedule(after: Self.restMilliseconds) { [weak self] in
      guard let self, isSuspended, !isClosed else { return }
      isSuspended = false
      if let token { loop.poller.change(token, to: .reading) }
      acceptAvailable()
    }
  }

  private static func listen(on endpoint: Endpoint) throws(TransportError) -> Int32 {
    var failure = TransportError.cannotResolve(host: endpoint.host, reason: "it has no address")
    for address in try SocketAddress.resolve(endpoint) {
      let descriptor = Socket.make(family: address.family)
      guard descriptor >= 0 else {
        failure = TransportError(operation: "socket", address: "\(endpoint)", errorNumber: errno)
        continue
      }
      // A restarted node must not wait until old connections of its port have timed out.
      Socket.set(SO_REUSEADDR, of: SOL_SOCKET, to: 1, on: descriptor)
      if address.withPointer({ bind(descriptor, $0, $1) }) != 0 {
        failure = TransportError(operation: "bind", address: "\(endpoint)", errorNumber: errno)
      } else if Glibc.listen(descriptor, backlog) != 0 {
        failure = TransportError(operation: "listen", address: "\(endpoint)", errorNumber: errno)
      } else {
        return descriptor
      }
      Glibc.close(descriptor)
    }
    throw failure
  }
}
