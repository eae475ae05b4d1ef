import Foundation

/// A connection that takes one answer of the Redis protocol after the other, as bytes.
///
/// `@unchecked Sendable`: one thread may send while another one takes answers, which alone touch the buffer.
final class RedisSocket: @unchecked Sendable {
  private let client: SocketClient
  private var buffer: [UInt8] = []

  init(to port: UInt16, of host: UInt32 = 0x7F00_0001, patience seconds: Int = 30) throws {
    client = try SocketClient(to: port, of: host, patience: seconds)
  }

  func send(_ bytes: [UInt8]) throws { try client.send(bytes) }
  func endOutput() { client.endOutput() }

  /// A request as an array of bulk strings.
  static func encoded(_ words: [[UInt8]]) -> [UInt8] {
    words.reduce(into: Array("*\(words.count)\r\n".utf8)) {
      $0 += Array("$\($1.count)\r\n".utf8) + $1 + [13, 10]
    }
  }

  /// Sends a request, and takes its answer as a text.
  @discardableResult
  func ask(_ words: String...) throws -> String {
    try send(Self.encoded(words.map { Array($0.utf8) }))
    return String(decoding: try reply(), as: UTF8.self)
  }

  /// The next answer.
  func reply() throws -> [UInt8] {
    let end = try endOfReply(from: 0)
    defer { buffer.removeFirst(end) }
    return Array(buffer[..<end])
  }

  /// Everything up to the end, whether it ends in peace or not; and whether it does end.
  func rest() -> (bytes: [UInt8], isOver: Bool) {
    while true {
      do {
        guard try fill() else { return (buffer, true) }
      } catch let failure as SocketFailure where failure.isTimeout {
        return (buffer, false)
      } catch {
        return (buffer, true)
      }
    }
  }

  private func fill() throws -> Bool {
    let piece = try client.receive(65_536)
    buffer += piece
    return !piece.isEmpty
  }

  private func need(_ count: Int) throws {
    while buffer.count < count {
      guard try fill() else { throw SocketFailure("recv", ECONNRESET) }
    }
  }

  private func endOfReply(from start: Int) throws -> Int {
    var end = start + 1
    try need(end)
    var searched = start
    while true {
      if let found = buffer[searched...].firstIndex(of: 10) {
        end = found + 1
        break
      }
      searched = buffer.count
      try need(buffer.count + 1)
    }
    let number = Int(String(decoding: buffer[(start + 1)..<(end - 2)], as: UTF8.self)) ?? 0
    switch buffer[start] {
    case UInt8(ascii: "$"), UInt8(ascii: "="):
      guard number >= 0 else { return end }
      try need(end + number + 2)
      return end + number + 2
    case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"), UInt8(ascii: "%"):
      for _ in 0..<max(number * (buffer[start] == UInt8(ascii: "%") ? 2 : 1), 0) {
        end = try endOfReply(from: end)
      }
      return end
    default: return end
    }
  }
}
