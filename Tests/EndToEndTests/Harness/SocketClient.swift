import Foundation

/// A call of the system that failed.
struct SocketFailure: Error, Hashable, CustomStringConvertible {
  let operation: String
  let errorNumber: Int32

  init(_ operation: String, _ errorNumber: Int32 = errno) {
    self.operation = operation
    self.errorNumber = errorNumber
  }

  /// Nothing came in time.
  var isTimeout: Bool { errorNumber == EAGAIN || errorNumber == EINPROGRESS }

  var description: String { "\(operation): \(String(cString: strerror(errorNumber)))" }
}

/// A client as any language has one: a blocking socket.
///
/// `@unchecked Sendable`: used by one thread at a time.
final class SocketClient: @unchecked Sendable {
  private let descriptor: Int32
  /// Received, and not taken by ``receiveLine()``.
  private var received: [UInt8] = []

  /// Connects to a port of 127.0.0.1, or another host. Everything that waits gives up after `seconds`.
  init(to port: UInt16, of host: UInt32 = 0x7F00_0001, patience seconds: Int = 30) throws(SocketFailure) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketFailure("socket") }
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    let length = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, length)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, length)
    var isOn: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in(localPort: port)
    address.sin_addr.s_addr = host.bigEndian
    // The descriptor is closed with this object; closed here as well, it could be another one's by then.
    guard address.withPointer({ connect(descriptor, $0, $1) }) == 0 else { throw SocketFailure("connect") }
  }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8]) throws(SocketFailure) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count >= 0 else { throw SocketFailure("send") }
      sent += count
    }
  }

  func send(_ text: String) throws(SocketFailure) { try send(Array(text.utf8)) }

  /// One `recv`, as the documented client makes it; empty at the end of the stream.
  func receive(_ limit: Int = 1_024) throws(SocketFailure) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = recv(descriptor, &buffer, limit, 0)
    guard count >= 0 else { throw SocketFailure("recv") }
    return Array(buffer[..<count])
  }

  /// The next line without its newline, or nil at the end of the stream.
  func receiveLine() throws(SocketFailure) -> String? {
    var searched = 0
    while true {
      if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: received[..<end], as: UTF8.self)
        received.removeFirst(end + 1)
        return line
      }
      searched = received.count
      let piece = try receive(65_536)
      guard !piece.isEmpty else { return nil }
      received += piece
    }
  }

  /// Everything up to the end of the stream.
  func receiveToEnd() throws(SocketFailure) -> [UInt8] {
    var all = received
    received = []
    while true {
      let piece = try receive(65_536)
      if piece.isEmpty { return all }
      all += piece
    }
  }

  /// Says that nothing more will be sent.
  func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Has the connection end with a reset when it is closed.
  func resetWhenClosed() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
  }
}

extension SocketClient {
  /// Sends one request with a newline and reads its answer; the connection stays open.
  func ask(_ request: String) throws -> Answer {
    try send(request + "\n")
    guard let line = try receiveLine() else { throw SocketFailure("recv", ECONNRESET) }
    return try Answer(line)
  }

  /// Sends one request on a connection of its own, as the original's clients do, and reads to the end.
  static func askOnce(_ request: String, of port: UInt16, patience seconds: Int = 30) throws -> Answer {
    let client = try SocketClient(to: port, patience: seconds)
    try client.send(request)
    return try Answer(String(decoding: try client.receiveToEnd(), as: UTF8.self))
  }
}
