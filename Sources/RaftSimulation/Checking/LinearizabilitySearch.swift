/// Looks for an order of the operations of one key that explains what the clients saw.
///
/// The search is that of Wing and Gong (1993) with Lowe's two improvements ("Testing for linearizability", 2017): no
/// configuration is visited twice, and an operation takes effect *just in time*, immediately before the answer of one
/// that cannot wait for its own effect any longer. A configuration is an event, the state before it, which of the calls
/// under way have taken effect already, and how many operations of each group of unknown outcome have. What keeps the
/// configurations few:
///
/// 1. Of two that differ in operations of unknown outcome alone, the one that has used fewer can do all that the other
///    can. Operations that will always be enough are not counted at all.
/// 2. An operation of unknown outcome takes effect only where something under way is possible after it that depends on
///    the state.
/// 3. What changes nothing takes effect as soon as it is possible.
/// 4. Of equal operations under way the one that is answered first takes effect first.
/// 5. A state is not left while an answer demands it that nothing else can provide.
/// 6. Where states make progress, none is passed by while an answer demands it.
/// 7. An overwriting operation whose result nothing demands any more takes effect immediately before another
///    overwriting one, where it cannot be seen.
struct LinearizabilitySearch {
  enum Outcome {
    /// The calls of the order, and for operations of unknown outcome the negative number of their group minus 1.
    case linearized([Int])
    /// There is no order; the calls below this one have one.
    case stuck(Int)
    /// There were more configurations than allowed.
    case exhausted
  }

  /// A configuration.
  struct Node {
    var event: Int
    var state: Int
    /// The slots of the calls under way that have taken effect.
    var done = SlotSet()
    /// How many operations of each group of unknown outcome have taken effect, as far as it matters.
    var spent: [UInt32]
    /// The configuration that this one comes from, and what took effect between the two; -1 for the first one.
    var parent = -1
    var taken: [Int] = []
  }

  /// The configurations before one event, and those that have got past it and were not followed yet.
  struct Frame {
    var queue: [Int]
    var queueNext = 0
    var isAnswerTried = false
    var children: [Int] = []
    var childrenNext = 0
  }

  private struct Situation: Hashable {
    var event: Int
    var state: Int
    var done: SlotSet
  }

  private struct Visit {
    var spent: [UInt32]
    /// The visit before this one in the same situation, or -1.
    var previous: Int
  }

  let problem: LinearizabilityProblem
  /// The state after an operation of a kind, or -1 if that is impossible.
  let step: (_ state: Int, _ kind: Int) -> Int
  /// The progress of a state, if states have any.
  let progress: (_ state: Int) -> UInt64?
  let statesMax: Int

  private var nodes: [Node] = []
  private var frames: [Frame] = []
  private var visits: [Visit] = []
  private var lastVisit: [Situation: Int] = [:]
  private var steps: [Transition: Int] = [:]
  private var furthest = 0
  private var success: Int?

  private struct Transition: Hashable {
    var state: Int
    var kind: Int
  }

  init(
    _ problem: LinearizabilityProblem, statesMax: Int, step: @escaping (Int, Int) -> Int,
    progress: @escaping (Int) -> UInt64?
  ) {
    self.problem = problem
    self.statesMax = statesMax
    self.step = step
    self.progress = progress
  }

  /// Searches from a state.
  mutating func run(from initialState: Int) -> Outcome {
    let spent = [UInt32](repeating: 0, count: problem.maybes.count)
    if let first = admit(Node(event: 0, state: initialState, spent: spent)) {
      frames.append(Frame(queue: [first]))
    }
    while success == nil, let depth = frames.indices.last {
      guard visits.count <= statesMax else { return .exhausted }
      if frames[depth].childrenNext < frames[depth].children.count {
        let child = frames[depth].children[frames[depth].childrenNext]
        frames[depth].childrenNext += 1
        frames.append(Frame(queue: [child]))
      } else if frames[depth].queueNext < frames[depth].queue.count {
        let node = frames[depth].queue[frames[depth].queueNext]
        if frames[depth].isAnswerTried {
          frames[depth].queueNext += 1
          frames[depth].isAnswerTried = false
          takeOthers(nodes[node], node)
        } else {
          frames[depth].isAnswerTried = true
          take(call: nodes[node].event, in: nodes[node], node)
        }
      } else {
        frames.removeLast()
      }
    }
    guard let success else { return .stuck(furthest) }
    return .linearized(order(to: success))
  }

  /// The state after an operation; each transition is asked of the model once.
  mutating func next(_ state: Int, _ kind: Int) -> Int {
    let transition = Transition(state: state, kind: kind)
    if let known = steps[transition] { return known }
    let next = step(state, kind)
    steps[transition] = next
    return next
  }

  private func order(to last: Int) -> [Int] {
    var parts: [[Int]] = []
    var node = last
    while node >= 0 {
      parts.append(nodes[node].taken)
      node = nodes[node].parent
    }
    return parts.reversed().flatMap { $0 }
  }

  // MARK: - Configurations

  /// Adds a configuration to those that have to be looked at.
  mutating func add(_ node: Node) {
    let event = node.event
    guard let added = admit(node), let depth = frames.indices.last else { return }
    if nodes[added].event == event {
      frames[depth].queue.append(added)
    } else {
      frames[depth].children.append(added)
    }
  }

  /// Lets everything happen that costs nothing: observations, and answers to what has taken effect.
  ///
  /// - Returns: The number of the configuration; nil if one was visited that can do all that this one can.
  private mutating func admit(_ new: Node) -> Int? {
    var node = new
    while node.event < problem.calls.count {
      for call in problem.calls(at: node.event) {
        let (kind, slot) = (problem.calls[call].kind, problem.calls[call].slot)
        guard problem.kinds[kind].isObservation, !node.done.contains(slot), next(node.state, kind) >= 0 else {
          continue
        }
        node.done.insert(slot)
        node.taken.append(call)
      }
      let slot = problem.calls[node.event].slot
      guard node.done.contains(slot) else { break }
      node.done.remove(slot)
      node.event += 1
    }
    furthest = max(furthest, node.event)
    if node.event == problem.calls.count {
      success = nodes.count
    } else {
      forgetSpent(&node)
      guard visit(node) else { return nil }
    }
    nodes.append(node)
    return nodes.count - 1
  }

  private mutating func visit(_ node: Node) -> Bool {
    let situation = Situation(event: node.event, state: node.state, done: node.done)
    let last = lastVisit[situation] ?? -1
    var visit = last
    while visit >= 0 {
      if zip(visits[visit].spent, node.spent).allSatisfy({ $0 <= $1 }) { return false }
      visit = visits[visit].previous
    }
    lastVisit[situation] = visits.count
    visits.append(Visit(spent: node.spent, previous: last))
    return true
  }

  /// Does not count what has been used of a group that has enough for all that may still come: each use is followed at
  /// once by an operation that depends on the state that it leaves (rule 2).
  private func forgetSpent(_ node: inout Node) {
    guard !problem.hasUnclearMaybe else { return }
    let unclear = problem.lastUnclearCall < node.event ? 0 : problem.lastUnclearCall - node.event + 1
    for group in node.spent.indices where node.spent[group] > 0 {
      let maybe = problem.maybes[group]
      guard let needs = problem.needs(of: problem.kinds[maybe.kind].after) else { continue }
      let demands = needs.demands.count - needs.demands.lowerBound(of: node.event)
      let available = maybe.firstEvents.lowerBound(of: node.event + 1)
      if available - Int(node.spent[group]) >= demands + unclear + needs.maybeDemandCount {
        node.spent[group] = 0
      }
    }
  }
}
