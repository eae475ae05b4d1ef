import Foundation
import Glibc

/// A client of the JSON protocol over a plain blocking socket.
final class Client {
  private let handle: Int32
  private var buffer: [UInt8] = []

  /// Connects to a node on 127.0.0.1.
  init(_ port: UInt16, seconds: Double = 10) throws {
    handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: Int(seconds), tv_usec: Int((seconds - seconds.rounded(.down)) * 1_000_000))
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var one: Int32 = 1
    setsockopt(handle, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    guard withLoopback(port, { connect(handle, $0, $1) }) == 0 else {
      close(handle)
      throw Failure("cannot connect to 127.0.0.1:\(port): \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(handle) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(handle, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure("cannot send: \(String(cString: strerror(errno)))") }
      sent += count
    }
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  /// One `recv`, as the documented client does it; empty at the end of the stream.
  func receiveOnce(_ count: Int = 1024) throws -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: count)
    let received = recv(handle, &chunk, count, 0)
    guard received >= 0 else { throw Failure("cannot receive: \(String(cString: strerror(errno)))") }
    return Array(chunk.prefix(received))
  }

  /// One answer line, without its end.
  func receiveLine() throws -> String {
    while true {
      if let end = buffer.firstIndex(of: 0x0A) {
        defer { buffer.removeFirst(end + 1) }
        return String(decoding: buffer[..<end], as: UTF8.self)
      }
      let chunk = try receiveOnce(65_536)
      guard !chunk.isEmpty else { throw Failure("closed after \(buffer.count) bytes") }
      buffer += chunk
    }
  }

  /// Everything up to the end of the stream.
  func receiveAll() throws -> [UInt8] {
    while true {
      let chunk = try receiveOnce(65_536)
      if chunk.isEmpty { return buffer }
      buffer += chunk
    }
  }

  /// Sends one request on the open connection and reads its answer.
  func exchange(_ request: String) throws -> [String: Any] {
    try send(request + "\n")
    return try Client.object(receiveLine())
  }

  /// One request on a connection of its own, answered until the node closes.
  static func ask(_ port: UInt16, _ request: String, seconds: Double = 10) throws -> [String: Any] {
    let client = try Client(port, seconds: seconds)
    try client.send(request)
    return try object(String(decoding: client.receiveAll(), as: UTF8.self))
  }

  static func object(_ text: String) throws -> [String: Any] {
    guard let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
      throw Failure("no JSON object: \(text)")
    }
    return object
  }
}
