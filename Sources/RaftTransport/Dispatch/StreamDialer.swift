import Dispatch
import Glibc

/// Dials TCP connections: finds the addresses of a host, on a thread of its own because the resolver
/// blocks, and starts to connect to one of them.
///
/// `@unchecked Sendable`: confined to its loop, except for `resolver`, which is a queue.
final class StreamDialer: @unchecked Sendable {
  private let loop: EventLoop
  private let keepAliveSeconds: Int
  private let unacknowledgedMillisecondsMax: UInt64
  private let resolver = DispatchQueue(label: "raftnode.resolver")

  init(loop: EventLoop, options: TransportOptions) {
    self.loop = loop
    keepAliveSeconds = options.keepAliveSeconds
    unacknowledgedMillisecondsMax = options.unacknowledgedMillisecondsMax
  }

  /// Starts to connect to the address of `endpoint` that has its turn at `attempt`: a name may have several.
  /// `completion` is called on the loop, at once or later.
  func dial(
    _ endpoint: Endpoint, attempt: Int,
    completion: @escaping @Sendable (Result<StreamConnection, TransportError>) -> Void
  ) {
    loop.preconditionOnLoop()
    if let addresses = try? SocketAddress.resolve(endpoint, isNumericOnly: true) {
      return completion(connect(endpoint, to: addresses[attempt % addresses.count]))
    }
    resolver.async {
      let result: Result<[SocketAddress], TransportError>
      do throws(TransportError) {
        result = .success(try SocketAddress.resolve(endpoint))
      } catch {
        result = .failure(error)
      }
      self.loop.async {
        completion(result.flatMap { self.connect(endpoint, to: $0[attempt % $0.count]) })
      }
    }
  }

  private func connect(
    _ endpoint: Endpoint, to address: SocketAddress
  ) -> Result<StreamConnection, TransportError> {
    let descriptor = Socket.make(family: address.family)
    guard descriptor >= 0 else {
      return .failure(TransportError(operation: "socket", address: "\(endpoint)", errorNumber: errno))
    }
    Socket.prepare(descriptor, keepAliveSeconds: keepAliveSeconds)
    Socket.limitUnacknowledged(descriptor, milliseconds: unacknowledgedMillisecondsMax)
    let status = address.withPointer { Glibc.connect(descriptor, $0, $1) }
    guard status == 0 || errno == EINPROGRESS || errno == EINTR else {
      let errorNumber = errno
      Glibc.close(descriptor)
      return .failure(.system(operation: "connect", address: "\(endpoint)", errorNumber: errorNumber))
    }
    return .success(
      StreamConnection(descriptor: descriptor, remoteAddress: "\(endpoint)", loop: loop, isConnecting: true))
  }
}
