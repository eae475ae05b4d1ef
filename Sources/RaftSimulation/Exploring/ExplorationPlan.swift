import RaftCore

/// How large a small world is, and what may happen in it how often.
///
/// Not counted, because it may happen any number of times: messages are late, and messages are lost. Nor are writes that
/// are not durable yet, which a crash loses.
public struct ExplorationPlan: Sendable {
  /// A fault that is put under the cores on purpose, to see whether the explorer finds it.
  public enum Fault: String, Sendable, CaseIterable {
    /// Disks do not keep votes: a node can vote twice in a term across a restart.
    case lostVotes
    /// Disks do not keep entries: an acknowledgement means nothing.
    case lostEntries
  }

  /// How many voters there are, 1 to 5.
  public var nodes = 3
  /// How many campaigns may begin.
  public var timeouts = 2
  /// How many proposals may be made.
  public var proposals = 2
  /// How many crashes may happen; each loses what was not made durable.
  public var crashes = 1
  /// How many messages may be delivered twice, the second time whenever it pleases.
  public var doubles = 0
  /// How many messages may be overtaken by later ones from the same node, as far as links keep the order.
  public var delays = 0
  /// Whether links keep the order of messages but for ``delays`` and ``doubles``, as connections do. If not, every message
  /// may overtake every other one, which makes worlds some fifty times larger.
  public var keepsOrder = true
  /// How many reads may be asked for.
  public var reads = 0
  /// The configuration changes that may be begun, in this order.
  public var changes: [ConfigurationChange] = []
  /// Who campaigns first, second, and so on: a restriction to what is looked for. Anybody, if empty.
  public var campaigners: [NodeID] = []
  /// A fault under the cores.
  public var fault: Fault?
  /// About how many states to visit at most; one takes 40 bytes.
  public var statesMax = 250_000_000
  /// What is made use of to visit fewer states.
  var shortcuts = Shortcut.all

  /// The defaults.
  public init() {}

  /// Names a plan that is worth having a name.
  ///
  /// - Parameter name: One of ``names``.
  public init?(named name: String) {
    guard let plan = Self.named.first(where: { $0.name == name })?.plan else { return nil }
    self = plan
  }

  /// The names of plans, for ``init(named:)``.
  public static var names: [String] { named.map(\.name) }

  private static let named: [(name: String, plan: ExplorationPlan)] = [
    ("quick", .quick), ("required", .required), ("overtaking", .overtaking), ("reads", .reading),
    ("earlier-term", .earlierTerm), ("double-vote", .doubleVote), ("membership", .membership),
    ("stale-read", .staleRead), ("early-acknowledgement", .earlyAcknowledgement),
    ("late-vote", .lateVote), ("lost-campaign", .lostCampaign),
  ]

  /// Two campaigns, a proposal and a crash: half a second.
  public static var quick: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.proposals = 1
    return plan
  }

  /// Three nodes, two campaigns, two proposals, a crash that loses what is not durable, a message that comes twice, and
  /// any number of losses: some minutes.
  public static var required: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.doubles = 1
    return plan
  }

  /// The same with a message that is overtaken instead of one that comes twice.
  public static var overtaking: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.delays = 1
    return plan
  }

  /// A read at any time, in two terms.
  public static var reading: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.proposals = 1
    plan.crashes = 0
    plan.reads = 1
    return plan
  }

  // MARK: - Where classic bugs show

  /// Where an entry of an earlier term must not be committed by counting (thesis fig. 3.7): two nodes lead in turn, and
  /// what opens their terms is what is overwritten.
  public static var earlierTerm: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.campaigners = [1, 2, 1, 2].map { NodeID($0) }
    plan.timeouts = 4
    plan.proposals = 0
    plan.crashes = 0
    return plan
  }

  /// Where a voter restarts between two candidates of one term.
  public static var doubleVote: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.proposals = 0
    return plan
  }

  /// Where two leaders remove a voter each, of four (scenario 45).
  public static var membership: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.nodes = 4
    plan.campaigners = [1, 2, 1].map { NodeID($0) }
    plan.timeouts = 3
    plan.proposals = 0
    plan.crashes = 0
    plan.changes = [.remove(NodeID(4)), .remove(NodeID(3))]
    return plan
  }

  /// Where a leader is asked for a read that does not know what was committed before it, or after it.
  public static var staleRead: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.campaigners = [1, 2].map { NodeID($0) }
    plan.proposals = 0
    plan.crashes = 0
    plan.reads = 1
    return plan
  }

  /// Where a deposed leader learns of a term before it is asked for its vote in it, votes, and restarts before another
  /// candidate of that term asks.
  public static var lateVote: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.campaigners = [1, 2, 3].map { NodeID($0) }
    plan.timeouts = 3
    plan.proposals = 0
    plan.delays = 1
    plan.shortcuts.remove(.bareTerms)
    return plan
  }

  /// Where a candidate restarts without what it had not written yet, and campaigns again in the same term.
  public static var lostCampaign: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.campaigners = [1, 2, 2].map { NodeID($0) }
    plan.timeouts = 3
    plan.proposals = 0
    plan.shortcuts.remove(.earlySync)
    return plan
  }

  /// Where a follower restarts that has acknowledged what its leader has committed.
  public static var earlyAcknowledgement: ExplorationPlan {
    var plan = ExplorationPlan()
    plan.proposals = 0
    return plan
  }
}

/// A way to visit fewer states without missing a broken rule. Each can be switched off, so that tests can compare.
///
/// What a shortcut takes for granted of the cores, every core that was met is asked about afterwards (``ShortcutAudit``).
/// If one does not bear it out, the search starts again without the shortcut.
enum Shortcut: CaseIterable {
  /// A message that is lost is no other than one that is never delivered: states say what is true whatever happens later,
  /// so nothing is learnt from taking it away. A delivery without any effect is such a loss as well.
  case lossByDelay
  /// Nodes that nothing has happened to are interchangeable: whichever of them is the first that something happens to,
  /// what follows is the same up to their names. So the one with the lowest id is the first. Ids break ties in the
  /// protocol, but only between pre-votes, and those are not explored (``ExploredNode/campaign(into:)``): everything
  /// that has been sent so far treats these nodes alike.
  case symmetry
  /// Packets that can never have an effect any more are taken away (``SiteTable``).
  case inertPackets
  /// A vote that is refused in the candidate's own term is not sent: it only keeps the candidate from leading, which it
  /// need not do anyway, because messages may be lost.
  case refusals
  /// Answers that bring nothing but a higher term are not sent: votes that are refused for it, and "your term is over".
  ///
  /// They make their receiver a follower of that term, without a vote. So does the request for votes by which that term
  /// came into the world: it went to every voter, nothing keeps it from arriving at the same moment, and what it adds (a
  /// vote, in an answer that may be lost) is forgotten in the term that the receiver goes on to. While the configuration
  /// changes this shortcut is not taken, because there may be nodes that were not asked.
  case bareTerms
  /// The writes of a node that does not lead are durable at once if the node says nothing before they are.
  ///
  /// Nobody can tell a crash that loses them from one that comes before what caused them, whose messages are then lost.
  /// (What only speaks for the node's term, and that is durable, it would have said then as well.)
  ///
  /// A node with slower writes merges answers to appends that wait for the same write, and so some leave in another
  /// order. To make up for it, these answers may overtake all others.
  case earlySync

  static var all: Set<Shortcut> { Set(allCases) }

  /// What it is not taken without: a node would speak of what is not yet durable in words that these leave out.
  var prerequisites: Set<Shortcut> { self == .earlySync ? [.inertPackets, .refusals, .bareTerms] : [] }
}
