import Foundation
import Glibc

/// Clients that write and read through all nodes at once, and remember what they were told.
final class Load: @unchecked Sendable {
  let keys: Int
  private let ports: [UInt16]
  private let clients: Int
  private let lock = NSLock()
  private var histories: [[LinearizabilityChecker.Operation]]
  private var neverExecuted: Set<Int> = []
  private var readValues: Set<Int> = []
  private var lastValue = 0
  private var writeTimes: [UInt64] = []
  private var reads = 0
  private var isStopping = false
  private let group = DispatchGroup()

  init(ports: [UInt16], clients: Int, keys: Int) {
    self.ports = ports
    self.clients = clients
    self.keys = keys
    histories = Array(repeating: [], count: keys)
  }

  var acknowledgedWrites: Int { lock.withLock { writeTimes.count } }
  var answeredReads: Int { lock.withLock { reads } }

  func start() {
    for client in 0..<clients {
      group.enter()
      Thread.detachNewThread { [self] in
        work(client)
        group.leave()
      }
    }
  }

  func stop() {
    lock.withLock { isStopping = true }
    group.wait()
  }

  /// Returns once so many more writes were acknowledged.
  func waitForWrites(_ count: Int) {
    let target = acknowledgedWrites + count
    let deadline = Date(timeIntervalSinceNow: 60)
    while acknowledgedWrites < target, Date() < deadline { usleep(5_000) }
  }

  /// The longest time between two acknowledged writes.
  var longestGapMilliseconds: UInt64 {
    lock.withLock {
      let sorted = writeTimes.sorted()
      return zip(sorted, sorted.dropFirst()).map { ($1 - $0) / 1_000_000 }.max() ?? 0
    }
  }

  /// What cannot be explained about what the clients saw.
  func judge() -> [String] {
    lock.withLock {
      var faults: [String] = []
      for key in 0..<keys where !LinearizabilityChecker.isLinearizable(histories[key]) {
        faults.append("the history of key \(key) is not linearizable")
      }
      for value in neverExecuted.sorted() where readValues.contains(value) {
        faults.append("the write of \(value) was said not to run, and was read")
      }
      return faults
    }
  }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private func work(_ number: Int) {
    var random = SystemRandomNumberGenerator()
    var port = ports[number % ports.count]
    var client: Client?
    while !(lock.withLock { isStopping }) {
      if client == nil {
        client = try? Client(port, seconds: 15)
        guard client != nil else {
          port = ports.randomElement(using: &random) ?? port
          usleep(2_000)
          continue
        }
      }
      let key = Int.random(in: 0..<keys, using: &random)
      let isAlive = Bool.random(using: &random) ? write(key, client) : read(key, client)
      if !isAlive {
        client = nil
        port = ports.randomElement(using: &random) ?? port
      }
    }
  }

  /// Returns whether the connection still stands.
  private func write(_ key: Int, _ client: Client?) -> Bool {
    let value = lock.withLock {
      lastValue += 1
      return lastValue
    }
    let start = Self.now
    let answer = try? client?.exchange(#"{"type":"put","key":"key\#(key)","value":\#(value)}"#)
    let end = Self.now
    lock.withLock {
      if answer?["data"] as? Bool == true {
        writeTimes.append(end)
        histories[key].append(.init(action: .write(value), start: start, end: end))
      } else if (answer?["error"] as? [String: Any])?["outcome"] as? String == "not_executed" {
        neverExecuted.insert(value)
      } else {
        histories[key].append(.init(action: .write(value), start: start, end: nil))
      }
    }
    return answer != nil
  }

  private func read(_ key: Int, _ client: Client?) -> Bool {
    let start = Self.now
    let answer = try? client?.exchange(#"{"type":"get","key":"key\#(key)"}"#)
    let end = Self.now
    guard let answer else { return false }
    guard let data = answer["data"] as? [String: Any] else { return true }
    let value = data["value"] as? Int
    lock.withLock {
      reads += 1
      if let value { readValues.insert(value) }
      histories[key].append(.init(action: .read(value), start: start, end: end))
    }
    return true
  }
}
