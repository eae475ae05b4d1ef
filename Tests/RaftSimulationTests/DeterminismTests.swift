import Foundation
import RaftSimulation
import Testing

/// Swift seeds the order of its hashed collections anew in every process, so only runs in different processes show that
/// nothing depends on it.
@Suite("Determinism")
struct DeterminismTests {
  @Test("the same seed gives the same trace in two separate processes", arguments: [7, 1_234] as [UInt64])
  func sameTraceInSeparateProcesses(seed: UInt64) async throws {
    let here = RegisterSimulation(SimulationPlan(seed: seed, nodes: 3, ticks: 1_000)).run().traceHash
    let first = try await traceHashInAnotherProcess(seed)
    let second = try await traceHashInAnotherProcess(seed)
    #expect(first == second)
    #expect(first == here)
  }

  private func traceHashInAnotherProcess(_ seed: UInt64) async throws -> UInt64 {
    let result = try await #require(
      processExitsWith: .success, observing: [\.standardOutputContent]
    ) { [seed] in
      print("trace \(RegisterSimulation(SimulationPlan(seed: seed, nodes: 3, ticks: 1_000)).run().traceHash)")
    }
    let output = String(decoding: result.standardOutputContent, as: UTF8.self)
    let line = try #require(output.split(whereSeparator: \.isNewline).first { $0.hasPrefix("trace ") })
    return try #require(UInt64(line.dropFirst("trace ".count)))
  }
}
