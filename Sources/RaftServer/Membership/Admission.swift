import RaftCore

/// How a leader judges a newcomer that has proved to be at its address: the leader has dialed it there, and the newcomer
/// answered under its id. Silence of the one that was there before would be no proof: anybody can claim an address while
/// its owner is away.
enum Admission: Hashable {
  /// It votes already: nothing is to be done.
  case votes
  /// These changes bring it one step further.
  case change([ConfigurationChange])
  /// It cannot be let in.
  case refused(String)

  /// Judges a newcomer.
  ///
  /// It is let in as a learner first, so that it holds nobody up while it catches up, and then votes (thesis §4.2.1). A
  /// memory node that has been started again is a new incarnation: it takes the vote of the former one at its address in
  /// one joint change, so that at no time both count, or neither.
  ///
  /// - Parameter replaced: Members whose place an operator has given to whoever is at the newcomer's address. They go in
  ///   the change in which it gets its vote.
  init(of newcomer: Member, in configuration: Configuration, replacing replaced: [NodeID] = []) {
    let others = configuration.members.filter { $0.address == newcomer.address && $0.id != newcomer.id }
    if configuration.isVoter(newcomer.id) {
      self = .votes
    } else if let owner = others.first(where: { $0.store == .durable && !replaced.contains($0.id) }) {
      // What a durable member has acknowledged is on its disk, and the cluster counts on that.
      self = .refused(
        """
        \(owner.address) is the address of the durable member \(owner.id): if that one has lost its data, remove it first, \
        or have it replaced: raftnode member replace \(owner.address) \(owner.address)
        """
      )
    } else if configuration.learners.contains(newcomer.id) {
      let gone =
        others.map(\.id)
        + replaced.filter { id in
          id != newcomer.id && configuration.member(id) != nil && !others.contains { $0.id == id }
        }
      self = .change([.promote(newcomer.id)] + gone.map { .remove($0) })
    } else if configuration.members.count >= Configuration.memberLimit {
      self = .refused("the cluster has \(Configuration.memberLimit) members, which is the most there may be")
    } else {
      let stale = others.filter { configuration.learners.contains($0.id) }
      self = .change(stale.map { .remove($0.id) } + [.addLearner(newcomer)])
    }
  }
}

/// Newcomers that have asked a member, which dials them to answer.
struct Newcomers: Sendable {
  struct Newcomer: Hashable, Sendable {
    let member: Member
    /// Whether it waits for an answer.
    var hasAsked: Bool
    /// When it is forgotten unless it asks again, in milliseconds.
    var expiresAt: UInt64
  }

  /// How long a newcomer is remembered that does not ask again.
  static let lifetimeMilliseconds: UInt64 = 5_000
  /// How many newcomers may be remembered: strangers must not make a member dial without end.
  static let countMax = 64

  private(set) var all: [Newcomer] = []

  /// Takes note of a request. Returns false if too many are remembered.
  mutating func asked(_ member: Member, now: UInt64) -> Bool {
    all.removeAll { $0.member.id == member.id || $0.expiresAt <= now }
    guard all.count < Self.countMax else { return false }
    all.append(Newcomer(member: member, hasAsked: true, expiresAt: now + Self.lifetimeMilliseconds))
    return true
  }

  /// The newcomers among `linked` that wait for an answer; they do not any more.
  mutating func takeAsking(linked: (Member) -> Bool) -> [Member] {
    var asking: [Member] = []
    for position in all.indices where all[position].hasAsked && linked(all[position].member) {
      all[position].hasAsked = false
      asking.append(all[position].member)
    }
    return asking
  }

  /// Where those are that are remembered.
  mutating func addresses(now: UInt64) -> [String] {
    all.removeAll { $0.expiresAt <= now }
    return all.map(\.member.address)
  }
}
