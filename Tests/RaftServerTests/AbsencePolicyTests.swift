import RaftCore
import Testing

@testable import RaftServer

@Suite("Whether a silent member may be removed")
struct AbsencePolicyTests {
  private func member(_ number: UInt64) -> Member {
    Member(id: NodeID(number), address: "10.0.0.\(number):5000", store: .durable)
  }

  private func judge(
    _ number: UInt64, voters: Int, present: [UInt64], min: Int = 3, learners: [UInt64] = []
  ) throws -> AbsencePolicy.Verdict {
    let configuration = try Configuration(
      members: ((1...UInt64(voters)) + learners).map { member($0) },
      voters: (1...UInt64(voters)).map { NodeID($0) }, learners: learners.map { NodeID($0) })
    return AbsencePolicy(votersMin: min).judge(
      member(number), in: configuration, present: present.map { NodeID($0) })
  }

  @Test("a voter is, while most of the others are heard from and enough are left")
  func removed() throws {
    #expect(try judge(5, voters: 5, present: [1, 2, 3]) == .remove)
    #expect(try judge(4, voters: 4, present: [1, 2]) == .remove)
  }

  @Test("a voter is not, if less would be left than there must be")
  func tooFew() throws {
    #expect(
      try judge(3, voters: 3, present: [1, 2])
        == .keep(reason: "only 2 voters would be left, and there must be 3"))
    #expect(try judge(3, voters: 3, present: [1, 2], min: 2) == .remove)
  }

  @Test("a voter is not, if half of the others are silent as well")
  func half() throws {
    #expect(
      try judge(5, voters: 5, present: [1, 2]) == .keep(reason: "only 2 of the other 4 voters are heard from")
    )
  }

  @Test("a learner is, always: it counts for nothing")
  func learner() throws {
    #expect(try judge(9, voters: 3, present: [1, 2], learners: [9]) == .remove)
  }
}
