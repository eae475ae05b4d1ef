import RaftCore

/// How large a small world is, and what may happen in it how often.
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
  /// How many messages may be lost.
  public var losses = 0
  /// How many messages may be delivered twice.
  public var doubles = 0
  /// How many reads may be asked for.
  public var reads = 0
  /// The configuration changes that may be begun, the last one first.
  public var changes: [ConfigurationChange] = []
  /// A fault under the cores.
  public var fault: Fault?
  /// The most states to visit.
  public var statesMax = 50_000_000

  /// The defaults.
  public init() {}

  var budget: SmallWorld.Budget {
    SmallWorld.Budget(
      timeouts: timeouts, proposals: proposals, crashes: crashes, losses: losses, doubles: doubles,
      reads: reads,
      changes: changes.count)
  }

  func configuration() throws(ConfigurationError) -> Configuration {
    try Configuration(
      voters: (1...UInt64(nodes)).map { Member(id: NodeID($0), address: "n\($0)", store: .durable) })
  }

  var options: RaftOptions { RaftOptions() }
}

/// Visits every state that a small cluster of shipped cores can reach, breadth first, so that the first broken rule is
/// found by one of the shortest ways to it.
///
/// States that differ only in clocks are one state. Ids break ties in the protocol, so nodes are not interchangeable, and
/// no symmetry is made use of.
public struct Explorer {
  /// What was found.
  public struct Report: Sendable {
    /// Distinct states.
    public var states = 0
    /// Steps from one state to another, also to known ones.
    public var transitions = 0
    /// The length of the longest shortest way to a state.
    public var depth = 0
    /// Whether every reachable state was visited.
    public var isExhausted = false
    /// The rule that was broken, and the way there.
    public var violation: (rule: String, steps: [String])?
  }

  private let plan: ExplorationPlan

  /// Prepares for `plan`.
  public init(_ plan: ExplorationPlan) { self.plan = plan }

  /// Visits all states.
  ///
  /// - Parameter progress: Called after each depth with what is known so far.
  /// - Throws: `ConfigurationError` or `RecoveryError` if the plan's numbers make no cluster.
  public func run(progress: (Report) -> Void = { _ in }) throws -> Report {
    var report = Report(states: 1)
    let start = try SmallWorld(plan)
    var visited: Set<UInt64> = [start.fingerprint]
    var layer: [(world: SmallWorld, way: Way?)] = [(start, nil)]
    while !layer.isEmpty {
      var next: [(world: SmallWorld, way: Way?)] = []
      for position in layer.indices {
        let (world, way) = layer[position]
        for step in world.steps {
          report.transitions += 1
          var successor = world
          successor.take(step)
          if let rule = successor.violation {
            report.violation = (rule, Way(step, from: way).described(from: start))
            return report
          }
          guard visited.insert(successor.fingerprint).inserted else { continue }
          report.states += 1
          next.append((successor, Way(step, from: way)))
        }
        guard report.states < plan.statesMax else { return report }
      }
      report.depth += next.isEmpty ? 0 : 1
      layer = next
      progress(report)
    }
    report.isExhausted = true
    return report
  }

  /// The steps that led to a state, the last one first.
  private final class Way: Sendable {
    let step: SmallWorld.Step
    let before: Way?

    init(_ step: SmallWorld.Step, from before: Way?) {
      self.step = step
      self.before = before
    }

    func described(from start: SmallWorld) -> [String] {
      var steps = [step]
      var way = before
      while let known = way {
        steps.append(known.step)
        way = known.before
      }
      var world = start
      return steps.reversed().map { step in
        let text = world.describe(step)
        world.take(step)
        return text
      }
    }
  }
}

extension SmallWorld {
  /// A step in words.
  func describe(_ step: Step) -> String {
    switch step {
    case .deliver(let position): "delivered: \(packets[position].message.summary)"
    case .lose(let position): "lost: \(packets[position].message.summary)"
    case .double(let position): "delivered, and to come again: \(packets[position].message.summary)"
    case .timeOut(let position): "\(nodes[position].id) hears nothing any more and campaigns"
    case .sync(let position): "the writes of \(nodes[position].id) are durable"
    case .crash(let position): "\(nodes[position].id) crashes and restarts from what was durable"
    case .propose(let position): "a proposal at \(nodes[position].id)"
    case .read(let position): "a read at \(nodes[position].id)"
    case .change(let position): "a configuration change at \(nodes[position].id)"
    }
  }
}

extension Message {
  var isAboutPreVote: Bool {
    switch body {
    case .requestVote(let request): request.isPreVote
    case .requestVoteReply(let reply): reply.isPreVote
    default: false
    }
  }

  /// The message in one line.
  var summary: String { "\(from) to \(to) in term \(term): \(body)" }
}
