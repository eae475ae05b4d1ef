import Foundation
import Synchronization
import Testing

/// A client with nothing to complain about: while others misbehave it writes and reads over one connection, and
/// notices if it is ever refused, cut off, or told something wrong.
final class Witness: Sendable {
  private struct State {
    var rounds = 0
    var isStopping = false
    var complaint: String?
  }

  private let state = Mutex(State())

  /// Watches `node` while `body` runs, and before and after it.
  static func watching<Value>(_ node: NodeProcess, while body: () async throws -> Value) async throws -> Value
  {
    let witness = Witness()
    let client = try node.connect()
    async let watching: Void = witness.watch(client)
    let result: Result<Value, any Error>
    do {
      try witness.awaitRound()
      let value = try await body()
      try witness.awaitRound()
      result = .success(value)
    } catch {
      result = .failure(error)
    }
    witness.state.withLock { $0.isStopping = true }
    await watching
    #expect(witness.state.withLock { $0.complaint } == nil)
    #expect(node.isAlive)
    return try result.get()
  }

  /// Waits until it has written and read once more.
  private func awaitRound() throws {
    let rounds = state.withLock { $0.rounds }
    try eventually("the witness is served") {
      state.withLock { $0.rounds > rounds || $0.complaint != nil } ? () : nil
    }
  }

  private func watch(_ client: SocketClient) async {
    var number = 0
    while state.withLock({ !$0.isStopping && $0.complaint == nil }) {
      number += 1
      do {
        let write = try client.ask(Request.put("witness", "\(number)"))
        let read = try client.ask(Request.get("witness"))
        state.withLock {
          $0.rounds += 1
          if !write.isSuccess { $0.complaint = "round \(number): \(write)" }
          if read.value != "\(number)" { $0.complaint = "round \(number): \(read)" }
        }
      } catch {
        state.withLock { $0.complaint = "round \(number): \(error)" }
      }
    }
  }
}
