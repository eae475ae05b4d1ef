import Foundation

/// A server that counts requests, and answers each as a test wants. It has a thread for every connection.
final class FakeServer: @unchecked Sendable {
  enum Reply {
    case answer(String)
    /// The answer comes after so many seconds, and so does everything behind it on this connection.
    case late(Double, String)
    case silence
    case hangUp
  }

  /// A request: its number, from 0, and its key; number 0 is the one by which the load generator tries the node.
  typealias Behaviour = @Sendable (_ number: Int, _ isRead: Bool) -> Reply

  let port: UInt16
  private let listener: Int32
  private let behaviour: Behaviour
  private let lock = NSLock()
  private var seen: [String] = []
  private var sockets: [Int32] = []

  init(_ behaviour: @escaping Behaviour) throws {
    self.behaviour = behaviour
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 64) == 0
          && getsockname(listener, address, &size) == 0
      }
    }
    guard status else { throw POSIXError(.EADDRINUSE) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [weak self] in
      while true {
        let socket = accept(listener, nil, nil)
        guard socket >= 0 else { return }
        guard let server = self else {
          close(socket)
          return
        }
        server.lock.withLock { server.sockets.append(socket) }
        Thread.detachNewThread { server.serve(socket) }
      }
    }
  }

  /// Ends all connections, and takes no more.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    lock.withLock {
      for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  /// The keys that were asked for, without the first one.
  var keys: [String] { lock.withLock { Array(seen.dropFirst()) } }

  private func serve(_ socket: Int32) {
    defer { shutdown(socket, Int32(SHUT_RDWR)) }
    var text: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(socket, &piece, piece.count, 0)
      guard count > 0 else { return }
      text += piece[..<count]
      while let (key, isRead) = Self.take(from: &text) {
        let number = lock.withLock {
          seen.append(key)
          return seen.count - 1
        }
        switch behaviour(number, isRead) {
        case .answer(let answer): send(socket, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
        case .late(let seconds, let answer):
          Thread.sleep(forTimeInterval: seconds)
          send(socket, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
        case .silence: break
        case .hangUp: return
        }
      }
    }
  }

  /// The next request, if it is whole. Only what the load generator sends is understood.
  private static func take(from text: inout [UInt8]) -> (key: String, isRead: Bool)? {
    let lines = text.split(separator: 10, omittingEmptySubsequences: false)
    let count = text.starts(with: "*3".utf8) ? 7 : text.starts(with: "*2".utf8) ? 5 : 1
    guard lines.count > count else { return nil }
    let end = lines[count].startIndex
    let request = String(decoding: text[..<end], as: UTF8.self)
    text = Array(text[end...])
    guard let start = request.firstRange(of: "key:")?.lowerBound else { return nil }
    return (String(request[start...].prefix(16)), request.contains("GET") || request.contains("\"get\""))
  }
}
