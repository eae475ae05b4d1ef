import Foundation
import Synchronization

/// Checks the epochs of a soak as they end, and goes on looking at what they have left.
///
/// `@unchecked Sendable`: used by one thread at a time.
final class SoakCheck: @unchecked Sendable {
  /// What may be found under a key that nobody writes any more.
  private struct Rest {
    var value: String?
    /// Writes of unknown outcome that nobody has seen: they may still happen.
    var pending: Set<String?>
  }

  private let clients: SoakClients
  private let record: SoakRecord
  private var random: SeededRandom
  private var rests: [String: Rest] = [:]
  private var keys: [String] = []
  private let found = Mutex<[String]>([])

  /// How many keys of former epochs are looked at again after each epoch.
  private static let readAgain = 32

  init(_ clients: SoakClients, _ record: SoakRecord, seed: UInt64) {
    self.clients = clients
    self.record = record
    random = SeededRandom(seed: seed)
  }

  /// What is wrong.
  var findings: [String] { found.withLock { $0 } }

  /// How many keys it has come to know.
  var keyCount: Int { keys.count }

  /// Checks one epoch after the other until there are no more, or something is wrong: then everything is to stop.
  func run() {
    while let epoch = record.takeFinished() {
      do {
        try check(epoch)
      } catch {
        found.withLock { $0.append("\(error)") }
      }
      if !findings.isEmpty { record.stop() }
    }
  }

  private func check(_ epoch: SoakRecord.Epoch) throws {
    var operations = epoch.operations
    let last = try epoch.keys.map { try clients.read($0) }
    operations += last
    let violations = LinearizabilityChecker<String, String>().check(operations).map { "\($0)" }
    var seen: [String: Set<String?>] = [:]
    var refused: [String: Set<String?>] = [:]
    var unknown: [String: Set<String?>] = [:]
    for operation in operations {
      switch (operation.action, operation.ending) {
      case (.read(let value), _): seen[operation.key, default: []].insert(value)
      case (.write(let value?), .notExecuted): refused[operation.key, default: []].insert(value)
      case (.write(let value), .unknown): unknown[operation.key, default: []].insert(value)
      default: break
      }
    }
    let broken = refused.flatMap { key, values in
      values.intersection(seen[key] ?? []).map {
        "the write of \($0 ?? "nothing") to \(key) was promised never to happen, and was read"
      }
    }
    found.withLock { $0 += violations + broken }
    for operation in last {
      guard case .read(let value) = operation.action else { continue }
      // A delete leaves no trace by which it is known to have happened.
      let pending = (unknown[operation.key] ?? []).filter {
        $0 == nil || seen[operation.key]?.contains($0) != true
      }
      rests[operation.key] = Rest(value: value, pending: pending)
      keys.append(operation.key)
    }
    for _ in 0..<Self.readAgain {
      if let key = keys.randomElement(using: &random) { try look(at: key) }
    }
  }

  /// Reads a key that nobody writes any more.
  private func look(at key: String, through nodes: [NodeProcess]? = nil) throws {
    guard case .read(let value) = try clients.read(key, through: nodes).action, let rest = rests[key],
      value != rest.value
    else { return }
    if rest.pending.contains(value) {
      rests[key]?.value = value
      if value != nil { rests[key]?.pending.remove(value) }
    } else {
      found.withLock {
        $0.append(
          "\(key) was \(rest.value ?? "nothing") when nobody wrote it any more, and is \(value ?? "nothing")")
      }
    }
  }

  /// Looks at everything once more, each key through one of the nodes.
  func lookAtEverything(through nodes: [NodeProcess]) throws {
    for (number, key) in keys.enumerated() {
      try look(at: key, through: [nodes[number % nodes.count]])
      guard findings.count < 10 else { return }
    }
  }
}
