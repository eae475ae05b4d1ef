import Glibc

/// One client of the load generator: a connection, and what is under way on it.
final class BenchConnection {
  /// What a client is doing.
  enum State: Equatable {
    /// It has no connection, and tries the next node at this time.
    case unconnected(retryAt: UInt64)
    /// It has asked for a connection.
    case connecting
    /// It sends requests.
    case ready
    /// It was refused, and sends nothing before this time.
    case pausing(until: UInt64)
  }

  /// A request under way.
  struct Request {
    /// When it was sent; at a fixed rate, when it was due.
    var sentAt: UInt64
    var isRead: Bool
  }

  var state = State.unconnected(retryAt: 0)
  /// The place of its node in the plan.
  var node: Int
  private(set) var descriptor: Int32 = -1
  /// Counts connections, so that what belonged to a former one is told apart.
  private(set) var generation = 0
  /// Counts how often the client has gone on, after a pause or with a new connection.
  var epoch = 0
  /// Since when nothing was answered, while something is under way.
  var waitingSince: UInt64 = 0
  /// Attempts to connect that have failed since the last one that succeeded.
  var attempts = 0
  /// When it asked for the connection that it does not have yet.
  var connectingSince: UInt64 = 0
  /// Whether an answer of the batch that is under way was an error.
  var isRefused = false

  private var requests: [Request]
  private var head = 0
  /// How many requests are under way.
  private(set) var pending = 0
  /// The beginning of an answer whose end has not arrived.
  var incoming: [UInt8] = []
  private var unsent: [UInt8] = []
  private var unsentFrom = 0

  init(node: Int, depth: Int) {
    self.node = node
    requests = Array(repeating: Request(sentAt: 0, isRead: false), count: depth)
  }

  deinit { disconnect() }

  func push(_ request: Request, at time: UInt64) {
    precondition(pending < requests.count, "more requests are under way than the pipeline is deep")
    if pending == 0 { waitingSince = time }
    requests[(head + pending) % requests.count] = request
    pending += 1
  }

  func pop() -> Request? {
    guard pending > 0 else { return nil }
    let request = requests[head]
    head = head + 1 == requests.count ? 0 : head + 1
    pending -= 1
    return request
  }

  /// Takes a socket that is connected, or about to be.
  func use(_ socket: Int32) {
    disconnect()
    descriptor = socket
    generation += 1
  }

  func disconnect() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    incoming.removeAll()
    unsent.removeAll()
    (unsentFrom, head, pending, isRefused) = (0, 0, 0, false)
  }

  /// Sends bytes, and keeps what the system does not take.
  ///
  /// - Returns: 0, or the number of the error.
  func send(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard unsent.isEmpty else {
      unsent.append(contentsOf: bytes)
      return 0
    }
    let (count, error) = offer(bytes)
    if count < bytes.count, error == 0 { unsent.append(contentsOf: bytes[count...]) }
    return error
  }

  /// Sends what was kept. Returns 0, or the number of the error.
  func flush() -> Int32 {
    let (count, error) = unsent.withUnsafeBytes { offer(UnsafeRawBufferPointer(rebasing: $0[unsentFrom...])) }
    unsentFrom += count
    if unsentFrom == unsent.count {
      unsent.removeAll(keepingCapacity: true)
      unsentFrom = 0
    }
    return error
  }

  /// Whether something is kept that the system has not taken.
  var isBlocked: Bool { !unsent.isEmpty }

  private func offer(_ bytes: UnsafeRawBufferPointer) -> (count: Int, error: Int32) {
    var sent = 0
    while sent < bytes.count, let base = bytes.baseAddress {
      let count = Glibc.send(descriptor, base + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      if count < 0 { return (sent, errno == EAGAIN ? 0 : errno) }
      sent += count
    }
    return (sent, 0)
  }
}

/// The address of a node, looked up once.
struct BenchAddress {
  let name: String
  private let family: Int32
  private let bytes: [UInt8]

  init(_ node: (host: String, port: UInt16)) throws(BenchError) {
    name = "\(node.host):\(node.port)"
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(node.host, "\(node.port)", &hints, &found)
    guard status == 0, let first = found else {
      throw BenchError("\(name) cannot be found: \(String(cString: gai_strerror(status)))")
    }
    defer { freeaddrinfo(found) }
    family = first.pointee.ai_family
    bytes = Array(
      UnsafeRawBufferPointer(start: first.pointee.ai_addr, count: Int(first.pointee.ai_addrlen)))
  }

  /// A socket that has a connection, or nil, in which case `errno` tells why.
  ///
  /// - Parameter patience: How long to wait for the connection; nil for not at all: then the socket is one that does not
  ///   block, and the connection may come later.
  func connect(patience: Double?) -> Int32? {
    let socket = Glibc.socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return nil }
    var on: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    if let patience {
      var time = timeval(
        tv_sec: Int(patience), tv_usec: Int(1e6 * (patience - patience.rounded(.down))))
      for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
        setsockopt(socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
      }
    } else {
      setBlocking(socket, false)
    }
    let status = bytes.withUnsafeBytes { address in
      Glibc.connect(
        socket, address.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(address.count))
    }
    guard status == 0 || patience == nil && errno == EINPROGRESS else {
      let reason = errno
      close(socket)
      errno = reason == EINPROGRESS ? ETIMEDOUT : reason
      return nil
    }
    return socket
  }

  func setBlocking(_ socket: Int32, _ isBlocking: Bool) {
    let flags = fcntl(socket, F_GETFL)
    _ = fcntl(socket, F_SETFL, isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK)
  }
}
