import CEpoll
import Glibc

extension LoadGenerator {
  private static let retryNanoseconds: UInt64 = 20_000_000
  private static let unreachableNanoseconds: UInt64 = 30_000_000_000
  /// How long a node may take for its first answer, in seconds.
  private static let probeSecondsMax = 5.0

  /// Asks every node for something, so that what is wrong is told at once, and in words; then connects all clients.
  func connectAll() throws(BenchError) {
    try allowDescriptors()
    for node in plan.nodes { addresses.append(try BenchAddress(node)) }
    let patience = min(plan.patienceSeconds, Self.probeSecondsMax)
    for address in addresses { try probe(address, patience) }
    for number in 0..<plan.clients {
      let node = number % addresses.count
      let connection = BenchConnection(node: node, depth: plan.pipeline)
      connections.append(connection)
      guard let socket = addresses[node].connect(patience: patience) else {
        throw BenchError(
          "\(addresses[node].name) does not answer: \(Self.words(errno)), after \(number) connections of \(plan.clients)"
        )
      }
      addresses[node].setBlocking(socket, false)
      connection.use(socket)
      connection.state = .ready
      watch(number, EPOLL_CTL_ADD, EPOLLIN.rawValue)
    }
  }

  /// Reads one key, and expects an answer that is no error.
  private func probe(_ address: BenchAddress, _ patience: Double) throws(BenchError) {
    guard let socket = address.connect(patience: patience) else {
      throw BenchError("\(address.name) does not answer: \(Self.words(errno))")
    }
    defer { close(socket) }
    let request = UnsafeMutableRawBufferPointer.allocate(byteCount: encoder.bytesMax, alignment: 16)
    defer { request.deallocate() }
    guard let base = request.baseAddress else { return }
    let size = encoder.encode(0, isRead: true, to: base)
    guard Glibc.send(socket, base, size, Int32(MSG_NOSIGNAL)) == size else {
      throw BenchError("\(address.name) takes no request: \(Self.words(errno))")
    }
    var answer: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = recv(socket, &piece, piece.count, 0)
      if count <= 0 {
        let reason =
          count == 0
          ? "it closes the connection"
          : errno == EAGAIN
            ? "it takes the connection, and is silent for \(patience) seconds" : Self.words(errno)
        throw BenchError("\(address.name) does not answer: \(reason)")
      }
      answer.append(contentsOf: piece[..<count])
      let finding = answer.withUnsafeBytes { bytes in
        let finding = scanner.next(in: bytes, from: 0)
        guard case .answer(_, true) = finding else { return (finding, "") }
        return (finding, scanner.failure(in: bytes).text)
      }
      switch finding {
      case (.incomplete, _): continue
      case (.foreign, _):
        throw BenchError(
          "\(address.name) does not speak \(plan.wireProtocol == .json ? "JSON" : "RESP"); another --protocol may help"
        )
      case (.answer(_, let isError), let text):
        if isError { throw BenchError("\(address.name) refuses a read: \(text)") }
        return
      }
    }
  }

  private func allowDescriptors() throws(BenchError) {
    let needed = rlim_t(plan.clients + 64)
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur < needed else { return }
    guard limit.rlim_max >= needed else {
      throw BenchError(
        "\(plan.clients) clients need \(needed) open files; the system allows \(limit.rlim_max) (ulimit -n)")
    }
    limit.rlim_cur = needed
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      throw BenchError("\(needed) open files are refused: \(Self.words(errno))")
    }
  }

  func watch(_ number: Int, _ operation: Int32, _ interest: UInt32) {
    let connection = connections[number]
    var event = epoll_event()
    event.events = interest
    event.data.u64 = UInt64(connection.generation) << 32 | UInt64(number)
    epoll_ctl(poller, operation, connection.descriptor, &event)
  }

  /// A connection is gone, and everything that was under way on it has failed.
  func lose(_ number: Int, _ reason: String, code: String = "connection_lost", at time: UInt64) {
    let connection = connections[number]
    let name = addresses[connection.node].name
    while let request = connection.pop() {
      if isMeasured(request, at: time) { report.fail(code, "\(name): \(reason)") }
    }
    if connection.state == .ready { idlers += 1 }
    report.reconnections += 1
    connection.disconnect()
    connection.node = (connection.node + 1) % addresses.count
    connection.state = .unconnected(retryAt: time)
  }

  func pause(_ number: Int, at time: UInt64) {
    connections[number].state = .pausing(until: time + Self.pauseNanoseconds)
    idlers += 1
  }

  func finishConnecting(_ number: Int, at time: UInt64) throws(BenchError) {
    let connection = connections[number]
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(connection.descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
    guard error == 0 else { return fallBack(number, at: time) }
    connection.attempts = 0
    idlers -= 1
    watch(number, EPOLL_CTL_MOD, EPOLLIN.rawValue)
    try resume(number, at: time)
  }

  /// Sees to clients that pause, have no connection, or have waited too long.
  func care(at time: UInt64) throws(BenchError) {
    let patience = UInt64(plan.patienceSeconds * 1e9)
    var isAnyReady = false
    for (number, connection) in connections.enumerated() {
      switch connection.state {
      case .ready:
        isAnyReady = true
        if connection.pending > 0, time > connection.waitingSince + patience {
          lose(number, "no answer in time", code: "timeout", at: time)
        }
      case .pausing(let until):
        isAnyReady = true
        guard time >= until else { continue }
        idlers -= 1
        try resume(number, at: time)
      case .unconnected(let retryAt):
        if time >= retryAt { reconnect(number, at: time) }
      case .connecting:
        if time > connection.connectingSince + min(patience, 1_000_000_000) { fallBack(number, at: time) }
      }
    }
    if isAnyReady { reachedAt = time }
    if time - min(time, reachedAt) > Self.unreachableNanoseconds {
      throw BenchError("no node could be reached for 30 seconds")
    }
  }

  private func reconnect(_ number: Int, at time: UInt64) {
    let connection = connections[number]
    guard let socket = addresses[connection.node].connect(patience: nil) else {
      return fallBack(number, at: time)
    }
    connection.use(socket)
    connection.connectingSince = time
    connection.state = .connecting
    watch(number, EPOLL_CTL_ADD, EPOLLOUT.rawValue)
  }

  /// The node cannot be reached: the next one is tried soon.
  private func fallBack(_ number: Int, at time: UInt64) {
    let connection = connections[number]
    connection.attempts += 1
    connection.disconnect()
    connection.node = (connection.node + 1) % addresses.count
    connection.state = .unconnected(retryAt: time + Self.retryNanoseconds)
  }
}
