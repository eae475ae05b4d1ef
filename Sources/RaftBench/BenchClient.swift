import Glibc

/// One connection of the load generator.
final class BenchClient {
  let descriptor: Int32
  /// When the requests under way were sent, or were due; the first is answered next.
  private(set) var times: [UInt64] = []
  private var head = 0
  private var incoming: [UInt8] = []
  private var outgoing: [UInt8] = []
  private var sent = 0

  init(to node: (host: String, port: UInt16)) throws(BenchError) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw BenchError("no socket: \(String(cString: strerror(errno)))") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = node.port.bigEndian
    guard inet_pton(AF_INET, node.host, &address.sin_addr) == 1 else {
      throw BenchError("\(node.host) is no numeric IPv4 address")
    }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else {
      throw BenchError("\(node.host):\(node.port): \(String(cString: strerror(errno)))")
    }
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  deinit { close(descriptor) }

  /// How many requests are under way.
  var pending: Int { times.count - head }

  /// Queues a request.
  func queue(at time: UInt64, _ encode: (inout [UInt8]) -> Void) {
    encode(&outgoing)
    times.append(time)
  }

  /// Sends what is queued. Returns whether more is left.
  func flush() throws(BenchError) -> Bool {
    while sent < outgoing.count {
      let count = outgoing.withUnsafeBytes { bytes in
        send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EAGAIN { return true }
        throw BenchError("sending: \(String(cString: strerror(errno)))")
      }
      sent += count
    }
    outgoing.removeAll(keepingCapacity: true)
    sent = 0
    return false
  }

  /// Takes what has arrived; `each` gets the time of each answered request, and whether the answer is an error.
  func receive(
    _ scanner: AnswerScanner, _ buffer: UnsafeMutableRawBufferPointer,
    _ each: (UInt64, Bool, ArraySlice<UInt8>) -> Void
  ) throws(BenchError) {
    let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
    if count < 0 {
      if errno == EAGAIN { return }
      throw BenchError("receiving: \(String(cString: strerror(errno)))")
    }
    guard count > 0 else { throw BenchError("the node has closed the connection") }
    incoming.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    var position = 0
    var found: [(end: Int, isError: Bool)] = []
    incoming.withUnsafeBytes { bytes in
      while position < bytes.count,
        case .answer(let end, let isError) = scanner.next(in: bytes, from: position)
      {
        found.append((end, isError))
        position = end
      }
    }
    var start = 0
    for (end, isError) in found {
      guard head < times.count else { throw BenchError("an answer came that nobody asked for") }
      each(times[head], isError, isError ? incoming[start..<end] : [])
      head += 1
      start = end
    }
    incoming.removeFirst(position)
    if head > 4_096 {
      times.removeFirst(head)
      head = 0
    }
  }
}

/// Why the load could not be generated.
public struct BenchError: Error, Sendable, CustomStringConvertible {
  /// The reason in words.
  public let description: String

  init(_ description: String) { self.description = description }
}
