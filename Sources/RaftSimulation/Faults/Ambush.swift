import RaftCore

/// Something that is lain in wait for, and what happens when it comes to pass: it brings together what chance alone
/// hardly ever does.
struct Ambush {
  /// What is waited for.
  enum Occasion: Equatable {
    /// A message of a kind, by the tag of its encoding, leaves.
    case sending(UInt8)
    /// One is being taken in.
    case receiving(UInt8)
    /// A host takes a joint configuration for the one in force.
    case joint
    /// A host has been elected.
    case elected
  }

  /// What happens then.
  enum Deed: CaseIterable {
    /// Whoever did it dies soon, with what is not synced yet, and is back at once.
    case crash
    /// The other end dies soon, and is back at once.
    case crashOther
    /// Both ends die.
    case crashBoth
    /// The message arrives long after, whatever has become of its connection, and of both processes.
    case delay
    /// The message arrives, and once more long after.
    case double
    /// Whoever did it is alone for a while.
    case isolate
    /// Only the two ends reach each other for a while, and who stays with them by chance.
    case cut
    /// The halves of a joint configuration do not reach each other for a while.
    case cutHalves
    /// The network is whole again, just when somebody makes use of its being parted.
    case mend
    /// Whoever did it stands still for a while.
    case pause
    /// For a while many messages are lost.
    case lossBurst
    /// Whoever did it dies soon, is back at once, and gets again, in any order, what was sent to it before, whether it
    /// had arrived or not.
    case crashAndRecall
    /// What was sent lately arrives again, in any order.
    case recall
  }

  /// What can be done where no message is involved.
  private static let deedsWithoutMessage: [Deed] = [
    .crash, .isolate, .cut, .cutHalves, .cutHalves, .mend, .pause, .lossBurst, .crashAndRecall, .recall,
  ]

  var occasion: Occasion
  var deed: Deed
  /// Whoever is lain in wait for; anybody, if nil.
  var slot: Int?
  var until: UInt64
  /// Decides the rest.
  var random: RandomSource

  /// The tags of messages, those more often on which a promise rests.
  private static let tags: [UInt8] = [1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 13]
  /// Votes and appends, their answers, handovers and pieces of snapshots: what is kept to arrive again.
  static let tagsKept: [Bool] = (0..<16).map { [1, 2, 3, 4, 8, 11, 12].contains($0) }

  /// Draws one for a cluster of `count` hosts.
  init(now: UInt64, count: Int, _ random: inout RandomSource) {
    let tag = Self.tags[Int.random(in: Self.tags.indices, using: &random)]
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<5: occasion = .sending(tag)
    case 5..<8: occasion = .receiving(tag)
    case 8: occasion = .joint
    default: occasion = .elected
    }
    let deeds = occasion == .joint || occasion == .elected ? Self.deedsWithoutMessage : Deed.allCases
    deed = deeds[Int.random(in: deeds.indices, using: &random)]
    slot = Bool.random(using: &random) ? Int.random(in: 0..<count, using: &random) : nil
    until = now + UInt64.random(in: 50...600, using: &random)
    self.random = RandomSource(seed: random.next())
  }
}
