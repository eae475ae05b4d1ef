import CEpoll
import Glibc

/// Sends requests to nodes and measures how long they take, on the thread of the caller.
///
/// It shares the machine with what it measures, so it is made to take little of it: one thread, one `epoll`, requests that
/// are copied from a template, answers of which only the ends are looked for.
public final class LoadGenerator {
  static let eventsMax = 256
  /// How long a client sends nothing after an error. Without it, refusals that come at once would take the processor from
  /// the nodes that are about to become able to serve.
  static let pauseNanoseconds: UInt64 = 5_000_000

  /// `TFD_TIMER_ABSTIME`, an enumeration's value that Swift does not import as a number.
  private static let absoluteTime: Int32 = 1
  private static let timerMark = UInt64.max

  let plan: BenchPlan
  let scanner: AnswerScanner
  let encoder: RequestEncoder
  var picker: KeyPicker
  var addresses: [BenchAddress] = []
  var connections: [BenchConnection] = []
  var report = BenchReport()
  let poller: Int32
  private let timer: Int32
  /// Requests that were given to a connection.
  var issued = 0
  var start: UInt64 = 0
  var measuredFrom: UInt64 = 0
  var end = UInt64.max
  private var lastSuccess: UInt64 = 0
  private var processorFrom: Double?
  /// At a fixed rate: who may take a request, once for each that it may have under way.
  private var slots: [(connection: Int, epoch: Int)] = []
  private var slotsHead = 0
  /// How many clients are without a connection, or pause.
  var idlers = 0
  var reachedAt: UInt64 = 0

  private let outgoing: UnsafeMutableRawBufferPointer
  private let incoming: UnsafeMutableRawBufferPointer

  /// Prepares a load.
  public init(_ plan: BenchPlan) {
    self.plan = plan
    scanner = AnswerScanner(wireProtocol: plan.wireProtocol)
    encoder = RequestEncoder(plan.wireProtocol, valueBytes: max(0, plan.valueBytes))
    picker = KeyPicker(
      plan.distribution, keys: min(max(1, plan.keys), KeyPicker.keysMax), seed: plan.seed)
    outgoing = .allocate(byteCount: max(64 << 10, encoder.bytesMax), alignment: 16)
    incoming = .allocate(byteCount: (256 << 10) + 4 * max(0, plan.valueBytes), alignment: 16)
    poller = epoll_create1(Int32(EPOLL_CLOEXEC))
    timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC))
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLET.rawValue
    event.data.u64 = Self.timerMark
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event)
  }

  deinit {
    outgoing.deallocate()
    incoming.deallocate()
    if timer >= 0 { close(timer) }
    if poller >= 0 { close(poller) }
  }

  /// Generates the load, and returns when it is over.
  ///
  /// - Parameter progress: Called about once in a second with what was measured so far.
  /// - Throws: ``BenchError`` if the plan makes no sense, or if a node cannot be reached at the beginning, refuses a
  ///   request then, or speaks another protocol.
  public func run(_ progress: (BenchReport) -> Void = { _ in }) throws(BenchError) -> BenchReport {
    if let fault = plan.fault { throw BenchError(fault) }
    guard poller >= 0, timer >= 0 else { throw BenchError("epoll: \(String(cString: strerror(errno)))") }
    try connectAll()
    start = Self.now
    reachedAt = start
    measuredFrom = plan.requests == nil ? start + UInt64(plan.warmUpSeconds * 1e9) : start
    lastSuccess = measuredFrom
    end = plan.requests == nil ? measuredFrom + UInt64(plan.seconds * 1e9) : UInt64.max
    for number in connections.indices { try resume(number, at: start) }
    try loop(progress)
    let time = Self.now
    report.seconds = time > measuredFrom ? Double(time - measuredFrom) / 1e9 : 0
    noteGap(until: time)
    report.generatorSeconds = Self.processorSeconds - (processorFrom ?? Self.processorSeconds)
    report.sortFailures()
    return report
  }

  private func loop(_ progress: (BenchReport) -> Void) throws(BenchError) {
    var events = [epoll_event](repeating: epoll_event(), count: Self.eventsMax)
    var nextProgress = start + 1_000_000_000
    var nextCare = start
    while true {
      var time = Self.now
      if isOver(at: time) { return }
      if processorFrom == nil, time >= measuredFrom { processorFrom = Self.processorSeconds }
      if plan.rate != nil { try issueDue(at: time) }
      if time >= nextCare {
        try care(at: time)
        nextCare = time + (idlers > 0 ? 1_000_000 : 50_000_000)
      }
      if time >= nextProgress {
        nextProgress = time + 1_000_000_000
        report.seconds = time > measuredFrom ? Double(time - measuredFrom) / 1e9 : 0
        progress(report)
      }
      // What lies behind does not wake anybody: a request that is due and has no client waits for an answer.
      var wakes = nextCare
      if end > time { wakes = min(wakes, end) }
      if nextDue > time { wakes = min(wakes, nextDue) }
      let count = wait(&events, until: wakes, at: time)
      time = Self.now
      for position in 0..<max(0, count) {
        try handle(events[position], at: time)
      }
    }
  }

  /// Waits for events. `epoll_wait` counts milliseconds, which is too coarse for requests that are due in between: these a
  /// timer announces, which is watched like a connection.
  private func wait(_ events: inout [epoll_event], until: UInt64, at time: UInt64) -> Int {
    if plan.rate != nil {
      var alarm = itimerspec()
      alarm.it_value = timespec(tv_sec: Int(until / 1_000_000_000), tv_nsec: Int(until % 1_000_000_000))
      timerfd_settime(timer, Self.absoluteTime, &alarm, nil)
    }
    let milliseconds = until > time ? min(50, (until - time + 999_999) / 1_000_000) : 0
    return Int(epoll_wait(poller, &events, Int32(Self.eventsMax), Int32(milliseconds)))
  }

  private func isOver(at time: UInt64) -> Bool {
    if let requests = plan.requests, issued >= requests {
      return connections.allSatisfy { $0.pending == 0 }
    }
    guard time >= end else { return false }
    guard let rate = plan.rate else { return true }
    // What was due is waited for: those that a slow node has kept waiting are the ones that count.
    if time >= end + UInt64(plan.patienceSeconds * 1e9) {
      let unanswered =
        Int(Double(end - start) / 1e9 * rate) - issued + connections.reduce(0) { $0 + $1.pending }
      if unanswered > 0 { report.fail("timeout", "no answer", count: UInt64(unanswered)) }
      return true
    }
    return nextDue >= end && connections.allSatisfy { $0.pending == 0 }
  }

  private func handle(_ event: epoll_event, at time: UInt64) throws(BenchError) {
    guard event.data.u64 != Self.timerMark else { return }
    let number = Int(event.data.u64 & 0xFFFF_FFFF)
    let connection = connections[number]
    // It may belong to a connection that an earlier event of the same round has ended.
    guard connection.generation == Int(event.data.u64 >> 32), connection.descriptor >= 0 else { return }
    if connection.state == .connecting {
      try finishConnecting(number, at: time)
      return
    }
    if event.events & EPOLLOUT.rawValue != 0, connection.isBlocked {
      let error = connection.flush()
      if error != 0 { return lose(number, Self.words(error), at: time) }
      if !connection.isBlocked { watch(number, EPOLL_CTL_MOD, EPOLLIN.rawValue) }
    }
    if event.events & ~EPOLLOUT.rawValue != 0 { try receive(number, at: time) }
  }

  // MARK: - Answers

  private func receive(_ number: Int, at time: UInt64) throws(BenchError) {
    let connection = connections[number]
    let kept = connection.incoming.count
    guard let base = incoming.baseAddress, kept < incoming.count else {
      throw BenchError("\(addresses[connection.node].name) sends an answer longer than any value")
    }
    if kept > 0 { connection.incoming.withUnsafeBytes { incoming.copyMemory(from: $0) } }
    let count = recv(connection.descriptor, base + kept, incoming.count - kept, 0)
    guard count > 0 else {
      if count < 0, errno == EAGAIN { return }
      return lose(number, count == 0 ? "the node has closed the connection" : Self.words(errno), at: time)
    }
    let bytes = UnsafeRawBufferPointer(start: base, count: kept + count)
    var position = 0
    var succeeded = false
    scanning: while position < bytes.count {
      switch scanner.next(in: bytes, from: position) {
      case .incomplete: break scanning
      case .foreign: throw foreign(at: connection.node)
      case .answer(let end, let isError):
        guard let request = connection.pop() else { throw foreign(at: connection.node) }
        if isError {
          connection.isRefused = true
          refuse(request, UnsafeRawBufferPointer(rebasing: bytes[position..<end]), at: time)
        } else {
          succeeded = true
          succeed(request, at: time)
        }
        if plan.rate != nil, !isError { slots.append((number, connection.epoch)) }
        position = end
      }
    }
    connection.waitingSince = time
    connection.incoming.removeAll(keepingCapacity: true)
    if position < bytes.count { connection.incoming.append(contentsOf: bytes[position...]) }
    if succeeded, time >= measuredFrom {
      noteGap(until: time)
      lastSuccess = time
    }
    if connection.isRefused {
      if connection.pending == 0 { pause(number, at: time) }
    } else if plan.rate == nil, connection.pending == 0 {
      try issueBatch(number, at: time)
    }
  }

  func foreign(at node: Int) -> BenchError {
    BenchError(
      "\(addresses[node].name) does not answer as \(plan.wireProtocol == .json ? "JSON" : "RESP") demands")
  }

  /// At a fixed rate a request belongs to the time when it was due, otherwise to the time when it was answered.
  func isMeasured(_ request: BenchConnection.Request, at time: UInt64) -> Bool {
    (plan.rate == nil ? time : request.sentAt) >= measuredFrom
  }

  private func succeed(_ request: BenchConnection.Request, at time: UInt64) {
    guard isMeasured(request, at: time) else { return }
    let latency = time - min(time, request.sentAt)
    if request.isRead { report.reads.record(latency) } else { report.writes.record(latency) }
  }

  private func refuse(
    _ request: BenchConnection.Request, _ answer: UnsafeRawBufferPointer, at time: UInt64
  ) {
    guard isMeasured(request, at: time) else { return }
    let (code, text) = scanner.failure(in: answer)
    report.fail(code, text)
  }

  private func noteGap(until time: UInt64) {
    report.longestGap = max(report.longestGap, time - min(time, lastSuccess))
  }

  // MARK: - Requests

  /// Lets a client that has a connection, and nothing under way, go on.
  func resume(_ number: Int, at time: UInt64) throws(BenchError) {
    let connection = connections[number]
    connection.state = .ready
    connection.isRefused = false
    connection.epoch += 1
    guard plan.rate == nil else {
      for _ in 0..<plan.pipeline { slots.append((number, connection.epoch)) }
      return
    }
    try issueBatch(number, at: time)
  }

  private func issueBatch(_ number: Int, at time: UInt64) throws(BenchError) {
    var count = plan.pipeline
    if let requests = plan.requests { count = min(count, requests - issued) }
    guard count > 0, let base = outgoing.baseAddress else { return }
    let connection = connections[number]
    var used = 0
    for _ in 0..<count {
      if used + encoder.bytesMax > outgoing.count {
        guard send(number, used, at: time) else { return }
        used = 0
      }
      used += write(on: connection, due: time, at: time, to: base + used)
    }
    _ = send(number, used, at: time)
  }

  /// Sends everything that is due by now, as far as clients are free to.
  private func issueDue(at time: UInt64) throws(BenchError) {
    while nextDue <= min(time, end), let number = takeSlot(), let base = outgoing.baseAddress {
      let size = write(on: connections[number], due: nextDue, at: time, to: base)
      _ = send(number, size, at: time)
    }
  }

  /// When the next request is due; never without a fixed rate, or when all that were due have a client.
  private var nextDue: UInt64 {
    guard let rate = plan.rate else { return .max }
    if let requests = plan.requests, issued >= requests { return .max }
    return start + UInt64(Double(issued) / rate * 1e9)
  }

  private func takeSlot() -> Int? {
    while slotsHead < slots.count {
      let slot = slots[slotsHead]
      slotsHead += 1
      if slotsHead > 65_536 {
        slots.removeFirst(slotsHead)
        slotsHead = 0
      }
      let connection = connections[slot.connection]
      if connection.epoch == slot.epoch, connection.state == .ready, !connection.isRefused {
        return slot.connection
      }
    }
    return nil
  }

  private func write(
    on connection: BenchConnection, due: UInt64, at time: UInt64, to place: UnsafeMutableRawPointer
  ) -> Int {
    let isRead = plan.readShare > 0 && picker.chance(plan.readShare)
    connection.push(.init(sentAt: due, isRead: isRead), at: time)
    issued += 1
    return encoder.encode(picker.key(), isRead: isRead, to: place)
  }

  private func send(_ number: Int, _ count: Int, at time: UInt64) -> Bool {
    let connection = connections[number]
    let wasBlocked = connection.isBlocked
    let error = connection.send(UnsafeRawBufferPointer(rebasing: outgoing[..<count]))
    guard error == 0 else {
      lose(number, Self.words(error), at: time)
      return false
    }
    if connection.isBlocked, !wasBlocked {
      watch(number, EPOLL_CTL_MOD, EPOLLIN.rawValue | EPOLLOUT.rawValue)
    }
    return true
  }

  // MARK: - Time

  static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func words(_ error: Int32) -> String { String(cString: strerror(error)) }
}
