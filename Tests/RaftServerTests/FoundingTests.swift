import RaftCore
import RaftTransport
import Testing

@testable import RaftServer

@Suite("Founding a cluster")
struct FoundingTests {
  private func member(_ id: UInt64, _ address: String) -> Member {
    Member(id: NodeID(id), address: address, store: .memory)
  }

  private func identity(
    _ id: UInt64, _ address: String, founders: [String], cluster: UInt64? = nil
  ) -> LocalIdentity {
    LocalIdentity(
      node: NodeID(id), boot: 1, cluster: cluster.map { ClusterID($0) }, address: address, founders: founders,
      store: .memory)
  }

  private let all = ["a:1", "b:1", "c:1"]

  @Test("a node without peers founds a cluster of one")
  func alone() {
    let founding = Founding(own: member(1, "a:1"), peers: [])
    #expect(founding.decide() == .found([member(1, "a:1")]))
  }

  @Test("founding waits for all listed nodes, and names those that are missing")
  func waitsForAll() {
    var founding = Founding(own: member(1, "a:1"), peers: ["c:1", "b:1", "a:1"])
    #expect(founding.decide() == .wait(for: ["b:1", "c:1"]))
    #expect(founding.met(identity(2, "b:1", founders: all), at: "b:1") == nil)
    #expect(founding.decide() == .wait(for: ["c:1"]))
    #expect(founding.met(identity(3, "c:1", founders: all), at: "c:1") == nil)
    #expect(founding.decide() == .found([member(1, "a:1"), member(2, "b:1"), member(3, "c:1")]))
  }

  @Test("a node that went away again is waited for again")
  func waitsAgain() {
    var founding = Founding(own: member(1, "a:1"), peers: ["b:1"])
    _ = founding.met(identity(2, "b:1", founders: ["a:1", "b:1"]), at: "b:1")
    founding.lost("b:1")
    #expect(founding.decide() == .wait(for: ["b:1"]))
  }

  @Test("only the node with the lowest address founds")
  func lowestFounds() {
    var founding = Founding(own: member(2, "b:1"), peers: ["a:1"])
    _ = founding.met(identity(1, "a:1", founders: ["a:1", "b:1"]), at: "a:1")
    #expect(founding.decide() == .wait(for: []))
  }

  @Test("nodes started with different sets found nothing, and say so")
  func differentSets() {
    var founding = Founding(own: member(1, "a:1"), peers: ["b:1"])
    #expect(founding.met(identity(2, "b:1", founders: all), at: "b:1") == all)
    #expect(founding.decide() == .wait(for: ["b:1"]))
  }

  @Test("a node that meets a running cluster asks to be let in")
  func runningCluster() {
    var founding = Founding(own: member(1, "a:1"), peers: ["b:1"])
    _ = founding.met(identity(2, "b:1", founders: [], cluster: 9), at: "b:1")
    #expect(founding.decide() == .join([.init(node: NodeID(2), address: "b:1")]))
    founding.lost("b:1")
    #expect(founding.decide() == .wait(for: ["b:1"]))
  }

  @Test("a node that was in a cluster before never founds one, not even alone")
  func remembering() {
    var founding = Founding(own: member(1, "a:1"), peers: [], mustJoin: true)
    #expect(founding.decide() == .join([]))
    _ = founding.met(identity(2, "b:1", founders: [], cluster: 9), at: "b:1")
    #expect(founding.decide() == .join([.init(node: NodeID(2), address: "b:1")]))
  }

  @Test("a node that was in a cluster before is no founder to others, whatever peers it was started with")
  func rememberingIsNoFounder() {
    let back = Founding(own: member(1, "a:1"), peers: ["d:1"], mustJoin: true)
    #expect(back.announced.isEmpty)
    for (own, other) in [("d:1", "a:1"), ("a:1", "d:1")] {
      var fresh = Founding(own: member(2, own), peers: [other])
      #expect(fresh.met(identity(1, other, founders: back.announced), at: other) == nil)
      #expect(fresh.decide() == .wait(for: [other]))
    }
  }

  @Test("what founders are told survives the wire")
  func foundedRoundTrip() throws {
    let founded = Founded(
      cluster: ClusterID(5), configuration: try Configuration(voters: [member(1, "a:1"), member(2, "b:1")]))
    #expect(try Founded(decoding: founded.encoded()) == founded)
    #expect(throws: MalformedBytes.self) { try Founded(decoding: Array(founded.encoded().dropLast())) }
  }
}
