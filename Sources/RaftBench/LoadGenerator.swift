import Glibc

/// Sends requests to nodes and measures how long they take, on the thread of the caller.
public final class LoadGenerator {
  private let plan: BenchPlan
  private let scanner: AnswerScanner
  private var clients: [BenchClient] = []
  private var random: UInt64
  private var nextKey = 0
  private let value: [UInt8]
  private var report = BenchReport()
  private var issued = 0
  private var measuredFrom: UInt64 = 0
  private var lastSuccess: UInt64 = 0
  private var watched: [pollfd] = []

  /// Prepares a load.
  public init(_ plan: BenchPlan) {
    self.plan = plan
    scanner = AnswerScanner(wireProtocol: plan.wireProtocol)
    random = plan.seed | 1
    value = [UInt8](repeating: UInt8(ascii: "x"), count: plan.valueBytes)
  }

  /// Generates the load, and returns when it is over.
  ///
  /// - Parameter progress: Called about once in a second with what was measured so far.
  /// - Throws: ``BenchError`` if a node cannot be reached, or closes a connection.
  public func run(_ progress: (BenchReport) -> Void = { _ in }) throws(BenchError) -> BenchReport {
    guard !plan.nodes.isEmpty else { throw BenchError("no node is named") }
    for number in 0..<plan.clients {
      clients.append(try BenchClient(to: plan.nodes[number % plan.nodes.count]))
    }
    watched = clients.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    defer { buffer.deallocate() }
    let start = now
    measuredFrom = start + UInt64(plan.warmUpSeconds * 1e9)
    lastSuccess = measuredFrom
    let end = plan.requests == nil ? measuredFrom + UInt64(plan.seconds * 1e9) : UInt64.max
    var nextProgress = start + 1_000_000_000
    if plan.rate == nil {
      for (number, client) in clients.enumerated() {
        for _ in 0..<plan.pipeline { issue(on: client, at: now) }
        try flush(client, number)
      }
    }
    while true {
      let time = now
      if time >= end || isDone { break }
      if let rate = plan.rate { try issueDue(rate, since: start, at: time) }
      guard poll(&watched, nfds_t(watched.count), plan.rate == nil ? 100 : 1) > 0 else { continue }
      for number in clients.indices where watched[number].revents != 0 {
        try serve(clients[number], number, buffer)
      }
      if time >= nextProgress {
        nextProgress += 1_000_000_000
        report.seconds = seconds(from: measuredFrom)
        progress(report)
      }
    }
    report.seconds = seconds(from: measuredFrom)
    report.longestGap = max(report.longestGap, UInt64(1e9 * seconds(from: lastSuccess)))
    return report
  }

  private var isDone: Bool {
    guard let requests = plan.requests else { return false }
    return issued >= requests && clients.allSatisfy { $0.pending == 0 }
  }

  private func serve(
    _ client: BenchClient, _ number: Int, _ buffer: UnsafeMutableRawBufferPointer
  ) throws(BenchError) {
    var answered = 0
    let time = now
    try client.receive(scanner, buffer) { sentAt, isError, text in
      answered += 1
      count(sentAt, at: time, isError, text)
    }
    if plan.rate == nil { for _ in 0..<answered { issue(on: client, at: time) } }
    try flush(client, number)
  }

  private func count(_ sentAt: UInt64, at time: UInt64, _ isError: Bool, _ text: ArraySlice<UInt8>) {
    guard time >= measuredFrom else { return }
    report.answered += 1
    report.latencies.record(time - min(sentAt, time))
    if isError {
      report.refused += 1
      if report.example == nil { report.example = String(decoding: text, as: UTF8.self) }
    } else {
      report.longestGap = max(report.longestGap, time - min(time, lastSuccess))
      lastSuccess = time
    }
  }

  /// Sends everything that is due by now, on one connection after the other.
  private func issueDue(_ rate: Double, since start: UInt64, at time: UInt64) throws(BenchError) {
    let due = Int(Double(time - start) / 1e9 * rate)
    while issued < due {
      let number = issued % clients.count
      issue(on: clients[number], at: start + UInt64(Double(issued) / rate * 1e9))
      try flush(clients[number], number)
    }
  }

  private func flush(_ client: BenchClient, _ number: Int) throws(BenchError) {
    let isBlocked = try client.flush()
    watched[number].events = Int16(isBlocked ? POLLIN | POLLOUT : POLLIN)
  }

  /// How much time has passed since `instant`; none if it is still to come.
  private func seconds(from instant: UInt64) -> Double {
    let time = now
    return time > instant ? Double(time - instant) / 1e9 : 0
  }

  private var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  // MARK: - Requests

  private func issue(on client: BenchClient, at time: UInt64) {
    if let requests = plan.requests, issued >= requests { return }
    issued += 1
    let isRead = plan.readPercent > 0 && Int(draw() % 100) < plan.readPercent
    let key = chooseKey()
    client.queue(at: time) { bytes in
      switch plan.wireProtocol {
      case .json: writeJSON(key, isRead, into: &bytes)
      case .resp: writeRESP(key, isRead, into: &bytes)
      }
    }
  }

  private func chooseKey() -> Int {
    switch plan.keyChoice {
    case .sequential:
      defer { nextKey = (nextKey + 1) % plan.keys }
      return nextKey
    case .uniform: return Int(draw() % UInt64(plan.keys))
    case .skewed:
      let isHot = draw() & 1 == 0
      return Int(draw() % UInt64(isHot ? max(1, plan.keys / 100) : plan.keys))
    }
  }

  /// A xorshift generator: cheap, and the same for the same seed.
  private func draw() -> UInt64 {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return random
  }

  private func writeKey(_ key: Int, into bytes: inout [UInt8]) {
    bytes.append(contentsOf: "key:".utf8)
    var divisor = 100_000_000_000
    while divisor > 0 {
      bytes.append(UInt8(48 + key / divisor % 10))
      divisor /= 10
    }
  }

  private func writeJSON(_ key: Int, _ isRead: Bool, into bytes: inout [UInt8]) {
    bytes.append(contentsOf: (isRead ? #"{"type":"get","key":""# : #"{"type":"put","key":""#).utf8)
    writeKey(key, into: &bytes)
    if !isRead {
      bytes.append(contentsOf: #"","value":""#.utf8)
      bytes.append(contentsOf: value)
    }
    bytes.append(contentsOf: "\"}\n".utf8)
  }

  private func writeRESP(_ key: Int, _ isRead: Bool, into bytes: inout [UInt8]) {
    bytes.append(contentsOf: (isRead ? "*2\r\n$3\r\nGET\r\n$16\r\n" : "*3\r\n$3\r\nSET\r\n$16\r\n").utf8)
    writeKey(key, into: &bytes)
    if !isRead {
      bytes.append(contentsOf: "\r\n$\(value.count)\r\n".utf8)
      bytes.append(contentsOf: value)
    }
    bytes.append(contentsOf: "\r\n".utf8)
  }
}
