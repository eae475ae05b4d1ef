import Foundation
import RaftCore
import RaftTransport

/// Asks nodes over their client protocol, one request on a connection. Whatever answers at an address, a question has an
/// end: in time, and in bytes.
enum NodeLink {
  /// No answer is longer than this.
  static let answerBytesMax = 512 << 20

  /// Sends a request to one of several nodes; follows to the leader if only that one can do it.
  ///
  /// - Parameter isRepeatable: Whether a request that may have arrived may be sent to the next one.
  static func ask(
    _ request: NodeRequest, anyOf addresses: [String], seconds: Int, isRepeatable: Bool = true
  ) throws(NodeError) -> NodeReply {
    var errors: [NodeError] = []
    for address in addresses {
      do throws(NodeError) {
        return try ask(request, at: address, seconds: seconds)
      } catch {
        switch error {
        case .unreachable(_, let obstacle) where isRepeatable || !obstacle.mayHaveArrived:
          errors.append(error)
        case .unreachable(let address, let obstacle):
          throw .notInTime("\(address) does not answer: \(obstacle); whether it was done is unknown")
        case .unreadable: errors.append(error)
        case .refused(let failure) where Self.isWorthAnother(failure): errors.append(error)
        default: throw error
        }
      }
    }
    guard let first = errors.first else { throw .senseless("--ip names no node") }
    throw errors.count == 1 ? first : .nobody(errors)
  }

  /// Another node may do what this one cannot at the moment.
  private static func isWorthAnother(_ failure: NodeFailure) -> Bool {
    failure.outcome == "not_executed"
      && ["no_leader", "not_ready", "too_many_connections", "stopping", "busy", "not_leader"].contains(
        failure.code)
  }

  private static func ask(_ request: NodeRequest, at address: String, seconds: Int) throws(NodeError)
    -> NodeReply
  {
    var address = address
    for _ in 0..<4 {
      do throws(NodeError) {
        return try askOnce(request, at: address, seconds: seconds)
      } catch {
        guard case .refused(let failure) = error, failure.code == "not_leader", let leader = failure.leader,
          leader != address
        else { throw error }
        address = leader
      }
    }
    throw .notInTime("the nodes name each other as leader; try again in a few seconds")
  }

  /// Sends a request to one node.
  static func askOnce(_ request: NodeRequest, at address: String, seconds: Int) throws(NodeError) -> NodeReply
  {
    let endpoint: Endpoint
    do { endpoint = try Endpoint(address) } catch { throw .senseless("\(error)") }
    let answer = try exchange(request.line, with: endpoint, seconds: seconds)
    guard let reply = NodeReply(answer) else {
      // What breaks off was the beginning of an answer, or the answer of something else.
      guard answer.starts(with: Bytes(#"{"type":"#.utf8)) else { throw .unreadable(address) }
      throw .unreachable(address, .closed)
    }
    if let failure = reply.failure { throw .refused(failure) }
    guard reply.text(of: "type") != nil else { throw .unreadable(address) }
    return reply
  }

  // MARK: - The connection

  /// Sends bytes, and gives back what comes before the connection ends.
  private static func exchange(
    _ bytes: Bytes, with endpoint: Endpoint, seconds: Int
  ) throws(NodeError) -> Bytes {
    let deadline = milliseconds + seconds * 1_000
    let descriptor = try connect(to: endpoint, by: deadline, seconds)
    defer { close(descriptor) }
    func fail(_ obstacle: NodeError.Obstacle) -> NodeError { .unreachable("\(endpoint)", obstacle) }
    var sent = 0
    while sent < bytes.count {
      guard isReady(descriptor, POLLOUT, by: deadline) else { throw fail(.silent(seconds: seconds)) }
      let count = bytes[sent...].withUnsafeBytes {
        send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, isPassing(errno) { continue }
      // What it has to say may have come before it closed.
      guard count > 0 else { break }
      sent += count
    }
    shutdown(descriptor, Int32(SHUT_WR))
    var answer = Bytes()
    var buffer = [UInt8](repeating: 0, count: 262_144)
    while true {
      guard isReady(descriptor, POLLIN, by: deadline) else { throw fail(.silent(seconds: seconds)) }
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0, isPassing(errno) { continue }
      if count <= 0 { break }
      answer.append(contentsOf: buffer[..<count])
      guard answer.count <= answerBytesMax else { throw fail(.endless) }
    }
    guard !answer.isEmpty else { throw fail(.closed) }
    return answer
  }

  private static func connect(
    to endpoint: Endpoint, by deadline: Int, _ seconds: Int
  ) throws(NodeError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(endpoint.host, "\(endpoint.port)", &hints, &found)
    guard status == 0, let first = found else {
      throw .unreachable("\(endpoint)", .noAddress(String(cString: gai_strerror(status))))
    }
    defer { freeaddrinfo(found) }
    var obstacle = NodeError.Obstacle.other("no address")
    for candidate in sequence(first: first, next: { $0.pointee.ai_next }) {
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
      let descriptor = socket(candidate.pointee.ai_family, kind, 0)
      guard descriptor >= 0 else {
        obstacle = .other(reason(errno))
        continue
      }
      guard let failure = failureToConnect(descriptor, candidate, by: deadline, seconds) else {
        return descriptor
      }
      close(descriptor)
      obstacle = failure
    }
    throw .unreachable("\(endpoint)", obstacle)
  }

  private static func failureToConnect(
    _ descriptor: Int32, _ candidate: UnsafeMutablePointer<addrinfo>, by deadline: Int, _ seconds: Int
  ) -> NodeError.Obstacle? {
    var number: Int32 = 0
    if Glibc.connect(descriptor, candidate.pointee.ai_addr, candidate.pointee.ai_addrlen) != 0 {
      number = errno
      if number == EINPROGRESS {
        guard isReady(descriptor, POLLOUT, by: deadline) else { return .noConnection(seconds: seconds) }
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length)
      }
    }
    switch number {
    case 0: return nil
    case ECONNREFUSED: return .refused
    case ETIMEDOUT: return .noConnection(seconds: seconds)
    case EHOSTUNREACH, ENETUNREACH: return .noWay(reason(number))
    default: return .other(reason(number))
    }
  }

  private static func isReady(_ descriptor: Int32, _ event: Int32, by deadline: Int) -> Bool {
    while true {
      var poll = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      let count = Glibc.poll(&poll, 1, Int32(clamping: max(0, deadline - milliseconds)))
      if count < 0, errno == EINTR { continue }
      return count > 0
    }
  }

  private static func isPassing(_ number: Int32) -> Bool { number == EAGAIN || number == EINTR }

  private static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

  /// Of a clock that does not go back.
  static var milliseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
  }
}
