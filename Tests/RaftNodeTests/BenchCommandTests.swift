import ArgumentParser
import RaftBench
import Testing

@testable import raftnode

@Suite("raftnode bench")
struct BenchCommandTests {
  @Test("is planned as the options say")
  func options() throws {
    let arguments = [
      "--ip", "127.0.0.1:5001,localhost:5002", "--protocol", "json", "--clients", "7", "--pipeline", "3",
      "--rate",
      "100.5", "--duration", "2", "--warmup", "0.5", "--value-bytes", "9", "--keys", "11", "--distribution",
      "zipfian",
      "--reads", "0.25", "--timeout", "4", "--seed", "5",
    ]
    let plan = try BenchCommand.parse(arguments).plan()
    #expect(plan.nodes.map(\.host) == ["127.0.0.1", "localhost"])
    #expect(plan.nodes.map(\.port) == [5001, 5002])
    #expect(plan.wireProtocol == .json && plan.distribution == .zipfian)
    #expect(plan.clients == 7 && plan.pipeline == 3 && plan.rate == 100.5)
    #expect(plan.seconds == 2 && plan.warmUpSeconds == 0.5 && plan.requests == nil)
    #expect(plan.valueBytes == 9 && plan.keys == 11 && plan.readShare == 0.25)
    #expect(plan.patienceSeconds == 4 && plan.seed == 5)
  }

  @Test(
    "refuses what makes no sense, and says why",
    arguments: [
      (["--clients", "0"], "0 clients; allowed are 1 to 50000"),
      (["--reads", "2"], "a share of reads of 2.0; allowed is 0 to 1"),
      (["--ip", "nowhere"], "nowhere"),
      (["--protocol", "grpc"], "'json' and 'resp'"),
      (["--distribution", "normal"], "'zipfian'"),
    ])
  func refusals(_ arguments: [String], _ reason: String) {
    do {
      _ = try BenchCommand.parse(arguments)
      Issue.record("\(arguments) are taken")
    } catch {
      #expect(BenchCommand.message(for: error).contains(reason))
    }
  }
}
