extension LinearizabilitySearch {
  /// Lets a call take effect.
  mutating func take(call: Int, in node: Node, _ parent: Int) {
    let kind = problem.calls[call].kind
    let state = next(node.state, kind)
    guard state >= 0 else { return }
    var following = node
    following.state = state
    following.done.insert(problem.calls[call].slot)
    following.taken = [call]
    following.parent = parent
    guard !mustStay(in: node.state, following) else { return }
    addHiding(following, isBlind: problem.kinds[kind].isBlind)
  }

  /// Lets take effect all that may before the answer that comes next, one at a time.
  mutating func takeOthers(_ node: Node, _ parent: Int) {
    var kindsTaken = [problem.calls[node.event].kind]
    var demanded: [Int] = []
    var isUnclear = !problem.dependentMaybes.isEmpty
    for call in problem.calls(at: node.event) where !node.done.contains(problem.calls[call].slot) {
      let kind = problem.calls[call].kind
      if problem.kinds[kind].before >= 0 { demanded.append(problem.kinds[kind].before) }
      isUnclear = isUnclear || problem.kinds[kind].isUnclear
      guard call != node.event, !problem.kinds[kind].isObservation, !kindsTaken.contains(kind) else {
        continue
      }
      kindsTaken.append(kind)
      take(call: call, in: node, parent)
    }
    var groups: [(left: Int, group: Int)] = []
    for group in problem.maybes.indices {
      let after = problem.kinds[problem.maybes[group].kind].after
      guard isUnclear || after < 0 || demanded.contains(after), isAvailable(group, in: node) else { continue }
      let available = problem.maybes[group].firstEvents.lowerBound(of: node.event + 1)
      groups.append((available - Int(node.spent[group]), group))
    }
    // What there is most of is missed least.
    groups.sort { ($1.left, $0.group) < ($0.left, $1.group) }
    for (_, group) in groups { take(group: group, in: node, parent) }
  }

  private func isAvailable(_ group: Int, in node: Node) -> Bool {
    let spent = Int(node.spent[group])
    let firstEvents = problem.maybes[group].firstEvents
    return spent < firstEvents.count && firstEvents[spent] <= node.event
  }

  private mutating func take(group: Int, in node: Node, _ parent: Int) {
    let kind = problem.maybes[group].kind
    let state = next(node.state, kind)
    guard state >= 0, state != node.state else { return }
    var following = node
    following.state = state
    following.spent[group] += 1
    following.taken = [-1 - group]
    following.parent = parent
    guard isOfUse(following), !mustStay(in: node.state, following) else { return }
    addHiding(following, isBlind: problem.kinds[kind].isBlind)
  }

  /// Whether something under way is possible in the state, and depends on it.
  private mutating func isOfUse(_ node: Node) -> Bool {
    for call in problem.calls(at: node.event) where !node.done.contains(problem.calls[call].slot) {
      let kind = problem.calls[call].kind
      if !problem.kinds[kind].isBlind, next(node.state, kind) >= 0 { return true }
    }
    for group in problem.dependentMaybes where isAvailable(group, in: node) {
      let after = next(node.state, problem.maybes[group].kind)
      if after >= 0, after != node.state { return true }
    }
    return false
  }

  // MARK: - What is still demanded

  /// Whether a state that has just been left is demanded by an answer, and cannot come back for it; or whether one that
  /// is demanded has been passed by.
  private func mustStay(in state: Int, _ node: Node) -> Bool {
    guard state != node.state else { return false }
    if let progress = progress(node.state), isPassedBy(node, progress) { return true }
    guard let needs = problem.needs(of: state),
      let call = firstDemand(needs, node)
    else { return false }
    return !problem.hasUnpredictable && !hasSupply(needs, for: call, node)
  }

  private func isPassedBy(_ node: Node, _ progress: UInt64) -> Bool {
    if let later = problem.progressLater[node.event], later < progress { return true }
    return problem.calls(at: node.event).contains { call in
      let kind = problem.kinds[problem.calls[call].kind]
      guard let demanded = kind.progress, !node.done.contains(problem.calls[call].slot) else { return false }
      return demanded < progress || demanded == progress && kind.before >= 0 && kind.before != node.state
    }
  }

  /// The first call to be answered that is possible in one state alone and has not taken effect.
  private func firstDemand(_ needs: LinearizabilityProblem.StateNeeds, _ node: Node) -> Int? {
    var position = needs.demands.lowerBound(of: node.event)
    while position < needs.demands.count {
      let call = needs.demands[position]
      if !isDone(call, node) { return call }
      position += 1
    }
    return nil
  }

  private func isDone(_ call: Int, _ node: Node) -> Bool {
    problem.calls[call].firstEvent <= node.event && node.done.contains(problem.calls[call].slot)
  }

  /// Whether something that has not taken effect leaves the state behind before `demand` is answered.
  private func hasSupply(_ needs: LinearizabilityProblem.StateNeeds, for demand: Int, _ node: Node) -> Bool {
    var position = needs.supplies.lowerBound(of: node.event)
    while position < needs.supplies.count, needs.suppliesFirst[position] <= demand {
      let call = needs.supplies[position]
      if call != demand, problem.calls[call].firstEvent <= demand, !isDone(call, node) { return true }
      position += 1
    }
    return needs.maybeSupplies.contains { group in
      let spent = Int(node.spent[group])
      let firstEvents = problem.maybes[group].firstEvents
      return spent < firstEvents.count && firstEvents[spent] <= demand
    }
  }

  // MARK: - What nobody will see

  /// Adds a configuration after an operation. If that overwrites, others may take effect immediately before it. That is
  /// all that has to be looked at, unless something depends on the state in a way that is not known.
  private mutating func addHiding(_ node: Node, isBlind: Bool) {
    guard isBlind else { return add(node) }
    var hiding = node
    for call in problem.calls(at: node.event) where !node.done.contains(problem.calls[call].slot) {
      let kind = problem.kinds[problem.calls[call].kind]
      guard kind.isBlind, let needs = problem.needs(of: kind.after), needs.maybeDemandCount == 0,
        firstDemand(needs, node) == nil
      else { continue }
      hiding.done.insert(problem.calls[call].slot)
      hiding.taken.insert(call, at: hiding.taken.count - 1)
    }
    add(hiding)
    let isUnclear = problem.hasUnclearMaybe || problem.lastUnclearCall >= node.event
    if isUnclear, hiding.taken.count > node.taken.count { add(node) }
  }
}
