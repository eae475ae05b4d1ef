import Testing

@testable import RaftCore

/// Sets of up to seven nodes as bit masks, and what the naive reading of the thesis says of them.
private enum Masks {
  static let nodes = 7

  static func ids(_ mask: Int) -> [NodeID] {
    (0..<nodes).filter { mask >> $0 & 1 == 1 }.map { NodeID(UInt64($0) + 1) }
  }

  static func isMajority(_ mask: Int, of voters: Int) -> Bool {
    2 * (mask & voters).nonzeroBitCount > voters.nonzeroBitCount
  }

  /// One pair of voter sets for each way in which two sets can overlap within `count` nodes.
  static func overlaps(within count: Int) -> [(incoming: Int, outgoing: Int)] {
    var pairs: [(incoming: Int, outgoing: Int)] = []
    for shared in 0...count {
      for onlyIncoming in 0...(count - shared) {
        let onlyOutgoing = count - shared - onlyIncoming
        guard shared + onlyIncoming > 0, shared + onlyOutgoing > 0 else { continue }
        let incoming = 1 << (shared + onlyIncoming) - 1
        let outgoing = (1 << count - 1) & ~(1 << (shared + onlyIncoming) - 1) | (1 << shared - 1)
        pairs.append((incoming, outgoing))
      }
    }
    return pairs
  }

  static func configuration(_ incoming: Int, _ outgoing: Int = 0, learners: Int = 0) throws -> Configuration {
    let members = ids(incoming | outgoing | learners).map {
      Member(id: $0, address: "n\($0)", store: .durable)
    }
    return try Configuration(
      members: members, voters: ids(incoming), outgoingVoters: ids(outgoing),
      learners: ids(learners & ~incoming))
  }

  /// Every list of `count` digits below `base`.
  static func assignments(_ count: Int, below base: Int, _ body: ([Int]) -> Void) {
    var digits = [Int](repeating: 0, count: count)
    while true {
      body(digits)
      guard let position = digits.firstIndex(where: { $0 < base - 1 }) else { return }
      for earlier in 0..<position { digits[earlier] = 0 }
      digits[position] += 1
    }
  }
}

@Suite("What a majority agrees on")
struct QuorumTests {
  /// The highest value that more than half of the voters have reached, by trying all of them.
  private func agreed(_ values: [Int], _ voters: Int) -> Int {
    var best = 0
    for candidate in values {
      var reached = 0
      for (node, value) in values.enumerated() where value >= candidate { reached |= 1 << node }
      if Masks.isMajority(reached, of: voters) { best = max(best, candidate) }
    }
    return best
  }

  @Test("it is the highest value that more than half have reached, for all values of up to 7 voters")
  func plain() {
    var scratch: [UInt64] = []
    var wrong: [String] = []
    for count in 1...Masks.nodes {
      let everyone = 1 << count - 1
      let voters = Masks.ids(everyone)
      Masks.assignments(count, below: count < 6 ? 5 : 3) { values in
        let result = Quorum.agreed(voters, scratch: &scratch) { UInt64(values[Int($0.rawValue) - 1]) }
        if result != UInt64(agreed(values, everyone)) { wrong.append("\(values): \(result)") }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("in a joint configuration both halves must have reached it, however they overlap")
  func joint() throws {
    var scratch: [UInt64] = []
    var wrong: [String] = []
    for count in 1...Masks.nodes {
      for (incoming, outgoing) in Masks.overlaps(within: count) {
        let configuration = try Masks.configuration(incoming, outgoing)
        Masks.assignments(count, below: count < 5 ? 4 : 2) { values in
          let result = Quorum.agreed(configuration, scratch: &scratch) {
            UInt64(values[Int($0.rawValue) - 1])
          }
          let expected = min(agreed(values, incoming), agreed(values, outgoing))
          if result != UInt64(expected) { wrong.append("\(configuration) \(values): \(result)") }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("the same for every pair of voter sets out of 7 nodes, with a different value on each node")
  func everyPair() {
    var scratch: [UInt64] = []
    var wrong: [String] = []
    let values = [4, 1, 7, 3, 6, 2, 5]
    let expected = (0..<128).map { agreed(values, $0) }
    for voters in 1..<128 {
      let result = Quorum.agreed(Masks.ids(voters), scratch: &scratch) {
        UInt64(values[Int($0.rawValue) - 1])
      }
      if result != UInt64(expected[voters]) { wrong.append("\(voters): \(result)") }
    }
    var random = RandomSource(seed: 7)
    for _ in 0..<2_000 {
      let (incoming, outgoing) = (
        Int.random(in: 1..<128, using: &random), Int.random(in: 1..<128, using: &random)
      )
      guard let configuration = try? Masks.configuration(incoming, outgoing) else {
        wrong.append("\(incoming) \(outgoing) is no configuration")
        continue
      }
      let result = Quorum.agreed(configuration, scratch: &scratch) { UInt64(values[Int($0.rawValue) - 1]) }
      if result != UInt64(min(expected[incoming], expected[outgoing])) {
        wrong.append("\(incoming) \(outgoing): \(result)")
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }
}

@Suite("Counting votes")
struct VoteTallyTests {
  /// Silent, granted or refused.
  private func tally(_ answers: [Int]) -> VoteTally {
    var tally = VoteTally()
    for (node, answer) in answers.enumerated() where answer != 0 {
      tally.record(NodeID(UInt64(node) + 1), isGranted: answer == 1)
    }
    return tally
  }

  /// Won if a majority has granted; lost if no majority can any more.
  private func outcome(_ answers: [Int], _ voters: Int) -> VoteTally.Outcome {
    outcome(masks(answers), voters)
  }

  private func outcome(_ masks: (granted: Int, possible: Int), _ voters: Int) -> VoteTally.Outcome {
    if Masks.isMajority(masks.granted, of: voters) { return .won }
    return Masks.isMajority(masks.possible, of: voters) ? .open : .lost
  }

  private func masks(_ answers: [Int]) -> (granted: Int, possible: Int) {
    var (granted, possible) = (0, 0)
    for (node, answer) in answers.enumerated() {
      if answer == 1 { granted |= 1 << node }
      if answer != 2 { possible |= 1 << node }
    }
    return (granted, possible)
  }

  private func both(_ one: VoteTally.Outcome, _ other: VoteTally.Outcome) -> VoteTally.Outcome {
    if one == .lost || other == .lost { return .lost }
    return one == .won && other == .won ? .won : .open
  }

  @Test("won with a majority, lost when none is possible, for all answers of up to 7 voters")
  func plain() throws {
    var wrong: [String] = []
    for count in 1...Masks.nodes {
      let everyone = 1 << count - 1
      let configuration = try Masks.configuration(everyone)
      Masks.assignments(count, below: 3) { answers in
        let result = tally(answers).outcome(in: configuration)
        if result != outcome(answers, everyone) { wrong.append("\(answers): \(result)") }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("a joint campaign needs both halves and is lost with one of them, however they overlap")
  func joint() throws {
    var wrong: [String] = []
    for count in 1...Masks.nodes {
      let overlaps = Masks.overlaps(within: count)
      let configurations = try overlaps.map { try Masks.configuration($0.incoming, $0.outgoing) }
      Masks.assignments(count, below: 3) { answers in
        let (tally, masks) = (tally(answers), masks(answers))
        for (halves, configuration) in zip(overlaps, configurations) {
          let result = tally.outcome(in: configuration)
          let expected = both(outcome(masks, halves.incoming), outcome(masks, halves.outgoing))
          if result != expected { wrong.append("\(halves) \(answers): \(result)") }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("learners and strangers never count, in either direction")
  func strangers() throws {
    var wrong: [String] = []
    // Nodes 1 to 3 vote, 3 to 5 are leaving, of which 5 goes on as a learner; 6 only learns, and 7 is unknown.
    let plain = try Masks.configuration(0b0000111, learners: 0b0111000)
    let joint = try Masks.configuration(0b0000111, 0b0011100, learners: 0b0110000)
    Masks.assignments(Masks.nodes, below: 3) { answers in
      let tally = tally(answers)
      let voted = outcome(answers, 0b0000111)
      if tally.outcome(in: plain) != voted { wrong.append("plain \(answers)") }
      let both = both(voted, outcome(answers, 0b0011100))
      if tally.outcome(in: joint) != both { wrong.append("joint \(answers)") }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("only the first answer of a voter counts (scenario 22)")
  func duplicates() throws {
    let configuration = try Masks.configuration(0b1111)
    var wrong: [String] = []
    Masks.assignments(4, below: 3) { answers in
      Masks.assignments(4, below: 3) { later in
        // Whatever voters that have answered say again is without effect.
        var tally = tally(answers)
        for (node, answer) in later.enumerated() where answer != 0 && answers[node] != 0 {
          tally.record(NodeID(UInt64(node) + 1), isGranted: answer == 1)
        }
        if tally.outcome(in: configuration) != outcome(answers, 0b1111) {
          wrong.append("\(answers) \(later)")
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("no answer undoes a campaign that is won or lost")
  func monotone() throws {
    var wrong: [String] = []
    for (incoming, outgoing) in Masks.overlaps(within: 5) {
      let configuration = try Masks.configuration(incoming, outgoing)
      Masks.assignments(5, below: 3) { answers in
        let before = tally(answers).outcome(in: configuration)
        guard before != .open, let silent = answers.firstIndex(of: 0) else { return }
        for answer in 1...2 {
          var more = answers
          more[silent] = answer
          if tally(more).outcome(in: configuration) != before { wrong.append("\(answers) \(more)") }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }
}

@Suite("Thesis §4.1, §4.3: whoever decides meets whoever else could")
struct QuorumIntersectionTests {
  /// `table[voters][set]`: whether the votes of `set` win a campaign among `voters`, as the tally says.
  private static func decisions() throws -> [[Bool]] {
    var table = [[Bool]](repeating: [Bool](repeating: false, count: 128), count: 128)
    for voters in 1..<128 {
      let configuration = try Masks.configuration(voters)
      for set in 0..<128 {
        // Beyond the voters nothing changes; that is asserted elsewhere.
        let relevant = set & voters
        if relevant != set {
          table[voters][set] = table[voters][relevant]
        } else {
          var tally = VoteTally()
          for id in Masks.ids(relevant) { tally.record(id, isGranted: true) }
          table[voters][set] = tally.outcome(in: configuration) == .won
        }
      }
    }
    return table
  }

  @Test("any two quorums of one configuration share a voter, and so do campaigns and commitment")
  func oneConfiguration() throws {
    let table = try Self.decisions()
    var scratch: [UInt64] = []
    var wrong: [String] = []
    for voters in 1..<128 {
      let ids = Masks.ids(voters)
      for set in 0..<128 where set & voters == set {
        // The rest decides nothing, so every other quorum has a member in this one.
        if table[voters][set], table[voters][voters & ~set] { wrong.append("\(voters) \(set)") }
        let commits = Quorum.agreed(ids, scratch: &scratch) { set >> (Int($0.rawValue) - 1) & 1 == 1 ? 1 : 0 }
        if (commits == 1) != table[voters][set] { wrong.append("\(voters) \(set) commits \(commits)") }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("configurations that differ by one voter: every majority of one meets every majority of the other")
  func oneVoter() throws {
    let table = try Self.decisions()
    var wrong: [String] = []
    var pairs = 0
    for old in 1..<128 {
      for new in 1..<128 where (old ^ new).nonzeroBitCount == 1 {
        pairs += 1
        for set in 0..<128 where table[old][set] && table[new][127 & ~set] {
          wrong.append("\(old) \(new) \(set)")
        }
      }
    }
    #expect(pairs > 0)
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("every joint quorum of an old and a new configuration meets every majority of each")
  func joint() throws {
    let table = try Self.decisions()
    var wrong: [String] = []
    for old in 1..<128 {
      for new in 1..<128 {
        let (oldDecides, newDecides) = (table[old], table[new])
        for set in 0..<128 where oldDecides[set] && newDecides[set] {
          // A set that misses a member of every other majority would leave one of them in what is left over.
          if oldDecides[127 & ~set] || newDecides[127 & ~set] { wrong.append("\(old) \(new) \(set)") }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("a joint campaign is won by exactly the sets that win in both halves")
  func jointIsBoth() throws {
    let table = try Self.decisions()
    var wrong: [String] = []
    for old in 1..<32 {
      for new in 1..<32 {
        let configuration = try Masks.configuration(new, old)
        for set in 0..<32 {
          var tally = VoteTally()
          for id in Masks.ids(set) { tally.record(id, isGranted: true) }
          let isWon = tally.outcome(in: configuration) == .won
          if isWon != (table[old][set] && table[new][set]) { wrong.append("\(old) \(new) \(set)") }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("a step is direct only if all majorities meet, and leads to the target otherwise by a joint phase")
  func steps() throws {
    let table = try Self.decisions()
    var wrong: [String] = []
    for old in 1..<32 {
      let from = try Masks.configuration(old)
      for new in 1..<32 {
        let target = try Masks.configuration(new)
        let step = try from.step(towards: target)
        if step.isJoint {
          let isWhole = step.voters == target.voters && step.outgoingVoters == from.voters
          if try !isWhole || step.withoutOutgoing != target { wrong.append("\(old) \(new)") }
        } else {
          let areDisjoint = (0..<128).contains { table[old][$0] && table[new][127 & ~$0] }
          if step != target || areDisjoint { wrong.append("\(old) \(new)") }
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }
}
