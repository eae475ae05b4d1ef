import Foundation
import RaftCore
import RaftTransport

/// Ports of 127.0.0.1 on which nobody listens, below the range from which the system takes ports for clients.
enum Ports {
  static func free() throws -> Endpoint {
    while true {
      let endpoint = try Endpoint(host: "127.0.0.1", port: UInt16.random(in: 12_000...30_000))
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(descriptor) }
      let status = withAddress(of: endpoint) { bind(descriptor, $0, $1) }
      if status == 0 { return endpoint }
    }
  }

  static func withAddress<Result>(
    of endpoint: Endpoint, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = endpoint.port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}

struct SocketFailure: Error {
  var operation: String
  var errorNumber: Int32
}

/// A client as any language has one: a blocking socket. What waits gives up after ten seconds.
final class RawClient: Sendable {
  private let descriptor: Int32

  init(_ endpoint: Endpoint) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let status = Ports.withAddress(of: endpoint) { connect(descriptor, $0, $1) }
    guard status == 0 else { throw SocketFailure(operation: "connect", errorNumber: errno) }
  }

  init(accepted descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  func send(_ bytes: Bytes) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count >= 0 else { throw SocketFailure(operation: "send", errorNumber: errno) }
      sent += count
    }
  }

  func send(_ text: String) throws { try send(Bytes(text.utf8)) }

  /// One `recv`, as the documented client makes it. Empty at the end.
  func receive(_ limit: Int = 1_024) throws -> Bytes {
    var buffer = Bytes(repeating: 0, count: limit)
    let count = recv(descriptor, &buffer, limit, 0)
    guard count >= 0 else { throw SocketFailure(operation: "recv", errorNumber: errno) }
    return Bytes(buffer[..<count])
  }

  func receiveAll() throws -> Bytes {
    var all: Bytes = []
    while true {
      let piece = try receive(65_536)
      if piece.isEmpty { return all }
      all += piece
    }
  }

  func receive(exactly count: Int) throws -> Bytes {
    var all: Bytes = []
    while all.count < count {
      let piece = try receive(count - all.count)
      guard !piece.isEmpty else { throw SocketFailure(operation: "recv", errorNumber: 0) }
      all += piece
    }
    return all
  }

  func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
  }
}

/// Runs blocking code on a thread of its own: the few threads of tasks and queues must not wait for sockets.
func onThread<Success: Sendable>(_ body: @escaping @Sendable () throws -> Success) async throws -> Success {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
