import Testing

@testable import RaftCore

@Suite("Configuration changes, exhaustively for up to seven nodes (thesis §4.1, §4.3)")
struct ConfigurationChangeTests {
  private func configuration(_ voters: Int, learners: Int = 0) throws -> Configuration {
    let ids = (0..<7).filter { (voters | learners) & (1 << $0) != 0 }.map { NodeID(UInt64($0) + 1) }
    func list(_ bits: Int) -> [NodeID] {
      (0..<7).filter { bits & (1 << $0) != 0 }.map { NodeID(UInt64($0) + 1) }
    }
    return try Configuration(
      members: ids.map { Member(id: $0, address: "n", store: .durable) }, voters: list(voters),
      learners: list(learners & ~voters))
  }

  /// Whether the nodes in `bits` decide in `configuration`.
  private func decides(_ bits: Int, in configuration: Configuration) -> Bool {
    var scratch: [UInt64] = []
    return Quorum.agreed(configuration, scratch: &scratch) { id in
      bits & (1 << (Int(id.rawValue) - 1)) != 0 ? 1 : 0
    } == 1
  }

  /// The smallest sets of nodes that decide in a configuration, as bits.
  private func quorums(_ configuration: Configuration) -> [Int] {
    (1..<128).filter { bits in
      decides(bits, in: configuration)
        && (0..<7).allSatisfy { bits & (1 << $0) == 0 || !decides(bits & ~(1 << $0), in: configuration) }
    }
  }

  @Test("whatever is changed into whatever, on each step of the way every two quorums meet")
  func everyStepIsSafe() throws {
    let configurations = try (1..<128).map { try configuration($0) }
    let quorums = configurations.map { self.quorums($0) }
    var joints = 0
    var faults: [String] = []
    for (old, before) in configurations.enumerated() {
      for (new, after) in configurations.enumerated() where new != old {
        let step = try before.step(towards: after)
        guard step.isJoint else {
          let meet = quorums[old].allSatisfy { first in quorums[new].allSatisfy { first & $0 != 0 } }
          if step != after || !meet { faults.append("\(old + 1) to \(new + 1) in one step") }
          continue
        }
        joints += 1
        if try step.voters != after.voters || step.outgoingVoters != before.voters
          || step.withoutOutgoing != after
        {
          faults.append("the joint phase of \(old + 1) and \(new + 1)")
        }
        // What decides jointly decides in each half, and so meets every quorum of either.
        for bits in [old + 1, new + 1, (old + 1) & (new + 1)] where decides(bits, in: step) {
          if !decides(bits, in: before) || !decides(bits, in: after) {
            faults.append(
              "\(bits) decides in the joint phase of \(old + 1) and \(new + 1), not in both halves")
          }
        }
      }
    }
    #expect(faults == [])
    #expect(joints > 10_000)
  }

  @Test("a joint phase keeps everybody who is leaving, and an outgoing voter may be a learner to be")
  func membersOfJointPhase() throws {
    let before = try configuration(0b0000111, learners: 0b1000)
    let after = try configuration(0b0011001, learners: 0b0000010)
    let step = try before.step(towards: after)
    #expect(step.members.map(\.id.rawValue) == [1, 2, 3, 4, 5])
    #expect(step.learners == [NodeID(2)])
    #expect(step.isVoter(NodeID(2)))
    #expect(try step.withoutOutgoing == after)
    #expect(try step.withoutOutgoing.member(NodeID(3)) == nil)
  }

  @Test("every list of up to three changes leads to a configuration, or is refused with its reason")
  func changesCompose() throws {
    let start = try configuration(0b00111, learners: 0b11000)
    var changes: [ConfigurationChange] = [.useLeaseReads(true)]
    for id in 1...6 as ClosedRange<UInt64> {
      changes += [.promote(NodeID(id)), .demote(NodeID(id)), .remove(NodeID(id))]
      changes.append(.addLearner(Member(id: NodeID(id), address: "x", store: .memory)))
    }
    var accepted = 0
    for first in changes {
      for second in changes {
        for third in changes {
          guard let result = try? start.applying([first, second, third]) else { continue }
          accepted += 1
          let step = try start.step(towards: result)
          let isKept = result.members.allSatisfy { step.member($0.id) != nil }
          let isWhole = result.voters.count + result.learners.count == result.members.count
          if !isKept || !isWhole { Issue.record("\(first), \(second), \(third)") }
        }
      }
    }
    #expect(accepted > 1000)
    let decoded = try Configuration(decoding: try start.applying([changes[0]]).encoded())
    #expect(decoded.usesLeaseReads)
    #expect(decoded.leaseTimeoutTicks == 30, "by default that of the default options")
    #expect(try start.applying([changes[0]], leaseTimeoutTicks: 70).leaseTimeoutTicks == 70)
    #expect(
      try decoded.applying([changes[0]], leaseTimeoutTicks: 70).leaseTimeoutTicks == 30, "it is on already")
    #expect(try decoded.applying([.useLeaseReads(false)]).leaseTimeoutTicks == nil)
    #expect(try start.applying([.useLeaseReads(false)]) == start)
  }
}

@Suite("The size of what is passed around for every entry")
struct SizeTests {
  @Test("a message is bitwise copyable and stays within 80 bytes")
  func messageSize() {
    func check<Value: BitwiseCopyable>(_ type: Value.Type) -> Int { MemoryLayout<Value>.size }
    #expect(check(Message.self) <= 80)
  }

  @Test("an entry is at most 32 bytes beside its payload, a configuration one reference")
  func entrySize() {
    #expect(MemoryLayout<Entry<Bytes>>.size <= 32)
    #expect(MemoryLayout<Configuration>.size == MemoryLayout<Int>.size)
  }
}
