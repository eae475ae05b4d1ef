import Foundation
import RaftTransport

/// Why a node did not do what it was asked.
enum NodeError: Error, CustomStringConvertible {
  /// It cannot be reached, or stopped answering.
  case unreachable(String, String)
  /// It answered with an error.
  case refused(NodeReply.Failure)
  /// It answered something else than a node would.
  case unreadable(String)

  var description: String {
    switch self {
    case .unreachable(let address, let reason): "\(address) does not answer: \(reason)"
    case .refused(let failure): "\(failure.message) (\(failure.code), \(failure.outcome))"
    case .unreadable(let address): "\(address) does not speak as a node of raftnode does"
    }
  }
}

/// An answer, as far as commands look at it.
struct NodeReply {
  /// What the node says of a request that it has not carried out.
  struct Failure {
    var code: String
    var message: String
    var outcome: String
    var leader: String?
  }

  /// The whole line.
  var text: String
  var fields: [String: Any]
}

/// Asks nodes over their client protocol, one request on a connection.
enum NodeLink {
  /// Sends a request; follows to the leader if only that one can do it.
  static func ask(_ request: [String: Any], at address: String, seconds: Int) throws -> NodeReply {
    var address = address
    for _ in 0..<4 {
      do {
        return try askOnce(request, at: address, seconds: seconds)
      } catch NodeError.refused(let failure) where failure.code == "not_leader" {
        guard let leader = failure.leader, leader != address else { throw NodeError.refused(failure) }
        address = leader
      }
    }
    throw NodeError.unreachable(address, "the nodes name each other as leader; try again soon")
  }

  static func askOnce(_ request: [String: Any], at address: String, seconds: Int) throws -> NodeReply {
    let endpoint = try Endpoint(address)
    var bytes = try JSONSerialization.data(
      withJSONObject: request, options: [.sortedKeys, .fragmentsAllowed])
    bytes.append(UInt8(ascii: "\n"))
    let answer = try exchange(bytes, with: endpoint, seconds: seconds)
    guard let object = try? JSONSerialization.jsonObject(with: answer), let fields = object as? [String: Any]
    else { throw NodeError.unreadable(address) }
    if let error = fields["error"] as? [String: Any] {
      throw NodeError.refused(
        .init(
          code: error["code"] as? String ?? "error",
          message: error["message"] as? String ?? "no reason given",
          outcome: error["outcome"] as? String ?? "unknown", leader: error["leader"] as? String))
    }
    // Answers may be long, and to look for all kinds of white space would take most of the time.
    let line = answer[..<((answer.lastIndex { $0 > 0x20 } ?? -1) + 1)]
    return NodeReply(text: String(decoding: line, as: UTF8.self), fields: fields)
  }

  /// Sends bytes, and gives back what comes before the connection ends.
  private static func exchange(_ bytes: Data, with endpoint: Endpoint, seconds: Int) throws -> Data {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(endpoint.host, "\(endpoint.port)", &hints, &found)
    guard status == 0, let first = found else {
      throw NodeError.unreachable("\(endpoint)", String(cString: gai_strerror(status)))
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw NodeError.unreachable("\(endpoint)", reason) }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    let length = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, length)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, length)
    guard connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
      throw NodeError.unreachable("\(endpoint)", reason)
    }
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw NodeError.unreachable("\(endpoint)", reason) }
      sent += count
    }
    shutdown(descriptor, Int32(SHUT_WR))
    return try receive(from: descriptor, endpoint)
  }

  private static func receive(from descriptor: Int32, _ endpoint: Endpoint) throws -> Data {
    var answer = Data()
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count >= 0 else { throw NodeError.unreachable("\(endpoint)", reason) }
      if count == 0 { break }
      answer.append(contentsOf: buffer[..<count])
    }
    guard !answer.isEmpty else { throw NodeError.unreachable("\(endpoint)", "it closed the connection") }
    return answer
  }

  private static var reason: String {
    errno == EAGAIN || errno == EINPROGRESS ? "no answer in time" : String(cString: strerror(errno))
  }
}
