import RaftCore

/// One line of the table, before it is measured.
struct Workload: Sendable {
  let name: String
  let measure: @Sendable (String, Repetition) throws -> Row

  /// Everything that is measured, in the order of the table.
  static let all: [Workload] =
    [1, 64].flatMap { batch in
      [1, 3, 5].flatMap { cores in [16, 1024].map { proposals(cores: cores, batch: batch, bytes: $0) } }
    } + [
      election(cores: 3), election(cores: 5),
      catchUp,
      reads("ReadIndex, 3 cores, leader, 1 at once", batch: 1, at: 0),
      reads("ReadIndex, 3 cores, leader, 64 at once", batch: 64, at: 0),
      reads("ReadIndex, 3 cores, follower, 1 at once", batch: 1, at: 1),
      simpleChange, jointChange,
    ]

  static func proposalsName(cores: Int, batch: Int, bytes: Int) -> String {
    let size = bytes >= 1024 ? "\(bytes / 1024) KiB" : "\(bytes) B"
    return "proposals, \(cores == 1 ? "1 core" : "\(cores) cores"), batch \(batch), \(size)"
  }

  /// Proposals in batches, the next as soon as all cores have applied the one before.
  static func proposals(cores: Int, batch: Int, bytes: Int) -> Workload {
    Workload(name: proposalsName(cores: cores, batch: batch, bytes: bytes)) { name, repetition in
      var cluster = try led(cores)
      let payload = Bytes(repeating: 7, count: bytes)
      let batches = batch == 1 ? 100_000 : 10_000
      let row = try repetition.row(name, .entry) {
        try cost(of: batches * batch, in: &cluster) { cluster in
          for number in 0..<batches {
            // A real clock ticks too; heartbeats belong to what replication costs.
            if number % 1000 == 0 { cluster.tick() }
            try cluster.propose(payload, batch: batch)
          }
        }
      }
      cluster.requireAgreement()
      return row
    }
  }

  /// From the first pre-vote to the first committed entry, of nodes that were just started.
  static func election(cores: Int) -> Workload {
    Workload(name: "election, \(cores) cores") { name, repetition in
      let count = 500
      return try repetition.row(name, .election) {
        var clusters: [Cluster] = []
        for _ in 0..<count { clusters.append(try Cluster(cores)) }
        var total = Cost(nanoseconds: 0, allocations: 0, messages: 0, units: 0)
        for position in clusters.indices { total += cost(of: 1, in: &clusters[position]) { $0.elect() } }
        return total
      }
    }
  }

  /// A follower that was cut off while 10,000 entries were committed without it, from its return until it has applied
  /// them all.
  static let catchUp = Workload(name: "catch-up by 10,000 entries, 3 cores") { name, repetition in
    let (times, missed, batch) = (20, 10_000, 50)
    var cluster = try led(3)
    let payload = Bytes(repeating: 7, count: 16)
    let row = try repetition.row(name, .entry) {
      var total = Cost(nanoseconds: 0, allocations: 0, messages: 0, units: 0)
      for _ in 0..<times {
        cluster.cutOff = 2
        for _ in 0..<(missed / batch) { try cluster.propose(payload, batch: batch) }
        cluster.cutOff = nil
        total += cost(of: missed, in: &cluster) { cluster in
          while cluster.nodes[2].appliedIndex < cluster.nodes[0].appliedIndex { cluster.tick() }
        }
        // The next time begins when the leader knows, too.
        for _ in 0..<RaftOptions().heartbeatTicks { cluster.tick() }
      }
      return total
    }
    cluster.requireAgreement()
    return row
  }

  static func reads(_ name: String, batch: Int, at node: Int) -> Workload {
    Workload(name: name) { name, repetition in
      let batches = batch == 1 ? 50_000 : 5_000
      var cluster = try led(3)
      var number: UInt64 = 0
      let row = repetition.row(name, .read) {
        cost(of: batches * batch, in: &cluster) { cluster in
          for _ in 0..<batches {
            cluster.read(number..<(number + UInt64(batch)), at: node)
            number += UInt64(batch)
          }
        }
      }
      precondition(cluster.answered == Int(number), "a read was not answered")
      return row
    }
  }

  /// One voter of three becomes a learner, and the learner a voter again: two changes of one entry each.
  static let simpleChange = Workload(name: "membership change, 3 cores, one voter") { name, repetition in
    var cluster = try led(3)
    let last = cluster.nodes[2].id
    return try repetition.row(name, .change) {
      try cost(of: 1000, in: &cluster) { cluster in
        for _ in 0..<500 {
          try cluster.change([.demote(last)])
          try cluster.change([.promote(last)])
        }
      }
    }
  }

  /// A voter and a learner trade places: a joint configuration and one that ends it.
  static let jointChange = Workload(name: "membership change, 4 cores, joint") { name, repetition in
    var cluster = try led(4, learners: 1)
    let (third, fourth) = (cluster.nodes[2].id, cluster.nodes[3].id)
    return try repetition.row(name, .change) {
      try cost(of: 1000, in: &cluster) { cluster in
        for _ in 0..<500 {
          try cluster.change([.promote(fourth), .demote(third)])
          try cluster.change([.promote(third), .demote(fourth)])
        }
      }
    }
  }

  /// A cluster whose node 0 leads, and whose clocks agree.
  static func led(_ cores: Int, learners: Int = 0) throws -> Cluster {
    var cluster = try Cluster(cores, learners: learners)
    cluster.elect()
    cluster.synchronizeClocks()
    return cluster
  }
}
