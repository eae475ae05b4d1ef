import Foundation
import Synchronization

/// Clients that write and read through all nodes of a cluster that changes.
final class SoakClients: Sendable {
  typealias Operation = SoakRecord.Operation

  private let cluster: SoakCluster
  private let record: SoakRecord
  private let seed: UInt64

  init(of cluster: SoakCluster, _ record: SoakRecord, seed: UInt64) {
    self.cluster = cluster
    self.record = record
    self.seed = seed
  }

  /// Runs clients side by side until the record says that it is time to stop.
  func run(count: Int) async {
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<count { group.addTask { self.run(number) } }
    }
  }

  /// One client. The even ones stay with a node for as long as it serves them; the others ask another one every few
  /// operations. What fails is tried again at once, through another node.
  private func run(_ number: Int) {
    var random = SeededRandom(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
    var connection: (client: SocketClient, address: String)?
    var written = 0
    // What it insists on, since when, and what came in between.
    var since: UInt64?
    var troubles: [String] = []
    while let epoch = record.begin() {
      let start = monotonicNanoseconds()
      let begun = since ?? start
      since = begun
      let key = "\(epoch)-\(Int.random(in: 0..<SoakRecord.keysPerEpoch, using: &random))"
      written += 1
      let action = Self.action("\(number)-\(written)", &random)
      var attempt = Attempt(
        Operation(key: key, action: action, start: start, ending: .unknown, client: number))
      if connection == nil, let node = cluster.serving.randomElement(using: &random) {
        connection = (try? node.connect(patience: 5)).map { ($0, node.address) }
        if connection == nil { attempt.trouble = "\(node.address) cannot be reached" }
      }
      if let connection { attempt.run(over: connection.client) }
      record.end(epoch, connection == nil ? nil : attempt.known)
      if let trouble = attempt.trouble {
        let milliseconds = (start - begun) / 1_000_000
        troubles.append("after \(milliseconds) ms, \(connection?.address ?? "nobody"): \(trouble)")
        connection = nil
        usleep(1_000)
        continue
      }
      let insisted = monotonicNanoseconds() - begun
      record.note(
        insisted: insisted,
        "client \(number), through \(connection?.address ?? ""), at \(Date()): \(troubles.joined(separator: "; "))"
      )
      (since, troubles) = (nil, [])
      if !number.isMultiple(of: 2), Int.random(in: 0..<64, using: &random) == 0 { connection = nil }
      // A constant load, not as much as the machine can carry: what takes long is to be the cluster's doing.
      usleep(5_000)
    }
    guard let since else { return }
    record.note(
      insisted: monotonicNanoseconds() - since,
      "client \(number), at the end: \(troubles.joined(separator: "; "))")
  }

  /// Something to do. One write in sixteen is large, so that the log soon forgets its beginning.
  private static func action(_ token: String, _ random: inout SeededRandom) -> Operation.Action {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: .write(nil)
    case 1..<10: .write("\(token)-\(Int.random(in: 0..<16, using: &random) == 0 ? 16_384 : 16)")
    default: .read(nil)
    }
  }

  /// Reads a key, through whichever node answers.
  func read(_ key: String, through nodes: [NodeProcess]? = nil) throws -> Operation {
    try eventually("\(key) is read") {
      guard let node = (nodes ?? cluster.serving).randomElement(),
        let client = try? node.connect(patience: 5)
      else { return nil }
      var attempt = Attempt(
        Operation(
          key: key, action: .read(nil), start: monotonicNanoseconds(), ending: .unknown, client: -1))
      attempt.run(over: client)
      return attempt.trouble == nil ? attempt.operation : nil
    }
  }
}

/// One attempt at an operation.
///
/// A value in a history is written as the text `value` and as many further bytes as the number at its end says, so that
/// histories stay small while values are large.
private struct Attempt {
  var operation: SoakRecord.Operation
  /// Why it did not succeed.
  var trouble: String?

  init(_ operation: SoakRecord.Operation) { self.operation = operation }

  private var isWrite: Bool { if case .write = operation.action { true } else { false } }

  /// What is known of it, if anything.
  var known: SoakRecord.Operation? { isWrite || trouble == nil ? operation : nil }

  mutating func run(over client: SocketClient) {
    let request =
      switch operation.action {
      case .write(let value?): Request.put(operation.key, "\"\(Self.padded(value))\"")
      case .write(nil): Request.delete(operation.key)
      case .read: Request.get(operation.key)
      case .replace, .increment: preconditionFailure("a soak puts, deletes and gets")
      }
    do {
      let answer = try client.ask(request)
      let end = monotonicNanoseconds()
      guard answer.isSuccess else {
        trouble = answer.refusal.map { "\($0.code), \($0.message)" } ?? answer.description
        if isWrite, answer.refusal?.isNotExecuted == true { operation.ending = .notExecuted }
        return
      }
      operation.ending = .acknowledged(at: end)
      if !isWrite { operation.action = .read(Self.token(of: answer.value)) }
    } catch {
      trouble = "\(error)"
    }
  }

  private static func padded(_ value: String) -> String {
    value + " " + String(repeating: "=", count: Int(value.split(separator: "-").last ?? "") ?? 0)
  }

  /// The value as it stands in the history; what was not written like this stays as it is, and is no value of the history.
  private static func token(of text: String?) -> String? {
    guard let text, text != "null" else { return nil }
    let value = String(text.dropFirst().dropLast())
    guard let token = value.split(separator: " ").first.map(String.init), padded(token) == value else {
      return value
    }
    return token
  }
}
