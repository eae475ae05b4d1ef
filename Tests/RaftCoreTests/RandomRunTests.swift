import RaftCore
import Testing

/// Messages are lost, doubled, delayed and reordered; clocks run unevenly; nodes stall, crash and come back; members come
/// and go, leadership is handed over, logs are compacted. Whatever happens, the promises of thesis fig. 3.2 hold.
@Suite("Random runs: what Raft promises holds whatever happens")
struct RandomRunTests {
  private static let seeds: UInt64 = 200
  private static let batch: UInt64 = 20

  @Test("the seeds from this one on", arguments: (0..<seeds / batch).map { $0 * batch })
  func runs(first: UInt64) throws {
    var elections = 0
    var entries = 0
    var reads = 0
    for seed in first..<(first + Self.batch) {
      var run = try RandomRun(seed: seed)
      try run.run(steps: 200)
      // To recover takes about as long as a run, so not every one is seen to its end.
      if seed % 5 == 0, run.problem == nil {
        let hasRecovered = try run.heal(ticks: 300)
        #expect(hasRecovered, "seed \(seed): nothing new is committed although everything works again")
      }
      if let problem = run.problem { Issue.record("\(problem)") }
      elections += run.oracle.tally.elections
      entries += run.oracle.committed.count
      reads += run.oracle.tally.reads
    }
    let what = "\(elections) elections, \(entries) committed entries, \(reads) reads"
    #expect(elections > 40 && entries > 150 && reads > 15, "too little has happened: \(what)")
  }

  @Test("a seed decides everything that happens")
  func isRepeatable() throws {
    var runs = [try RandomRun(seed: 12), try RandomRun(seed: 12)]
    for position in runs.indices { try runs[position].run(steps: 200) }
    #expect(runs[0].oracle.committed.count > 1)
    #expect(runs[0].oracle.committed == runs[1].oracle.committed)
    #expect(runs[0].network.nodes.map(\.status) == runs[1].network.nodes.map(\.status))
  }
}
