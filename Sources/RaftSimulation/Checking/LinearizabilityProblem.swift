/// The history of one key in numbers, as the search needs it.
///
/// Time is counted in *events*: event `e` is the answer to the call `e`, calls being the answered operations in order of
/// their answers. States are numbered too, and so are *kinds*: pairs of input and output.
struct LinearizabilityProblem {
  /// What operations of one kind do; see ``OperationEffect``.
  struct Kind {
    /// The number of a state, or -1 for nil.
    var before: Int
    /// The number of a state, or -1 for nil.
    var after: Int
    var isBlind: Bool
    var isObservation: Bool
    /// The progress of the states in which they are possible, if known.
    var progress: UInt64?
    /// Whether it may depend on more of the state than can be told.
    var isUnclear: Bool { before < 0 && !isBlind }
  }

  /// An operation that was answered.
  struct Call {
    var kind: Int
    /// The first event before which it may take effect.
    var firstEvent: Int
    /// Where it stands in the history.
    var position: Int
    /// Its number among those under way: each has another one, and they are used again.
    var slot = 0
  }

  /// The operations of unknown outcome of one kind. None of them ever ends, so that it does not matter which of them
  /// takes effect: the one that was invoked first always can if any can.
  struct Maybe {
    var kind: Int
    /// Each operation's first event, ascending.
    var firstEvents: [Int] = []
    /// Where they stand in the history, in the same order.
    var positions: [Int] = []
  }

  var kinds: [Kind] = []
  var calls: [Call] = []
  var maybes: [Maybe] = []
  /// For each event, the calls under way then, by the order of their answers.
  private var underWay: [Int] = []
  private var underWayStart: [Int] = [0]

  /// For each state that some kind demands or leaves: what demands it, and what leaves it.
  private(set) var needs: [StateNeeds] = []
  /// The last call whose demands are not clear, or -1.
  private(set) var lastUnclearCall = -1
  /// The groups of ``maybes`` that may depend on the state.
  private(set) var dependentMaybes: [Int] = []
  private(set) var hasUnclearMaybe = false
  /// Whether something may leave a state that cannot be told beforehand.
  private(set) var hasUnpredictable = false

  /// For each event, the least progress that a call demands which is invoked later; nil if there is none.
  private(set) var progressLater: [UInt64?] = []

  /// What demands a state, and what leaves it behind.
  struct StateNeeds {
    /// The calls that are possible in it alone, ascending.
    var demands: [Int] = []
    /// The calls that leave it behind, ascending.
    var supplies: [Int] = []
    /// For each of `supplies`, the earliest first event of it and all after it.
    var suppliesFirst: [Int] = []
    /// The groups of unknown outcome that leave it behind.
    var maybeSupplies: [Int] = []
    /// How many operations of unknown outcome change this state alone.
    var maybeDemandCount = 0
  }

  /// - Parameters:
  ///   - kinds: The effects; states in them are below `stateCount`.
  ///   - calls: In order of their answers.
  init(kinds: [Kind], calls: [Call], maybes: [Maybe], stateCount: Int) {
    self.kinds = kinds
    self.calls = calls
    self.maybes = maybes
    assignSlots()
    indexNeeds(stateCount: stateCount)
    indexProgress()
  }

  /// The calls under way at an event, of which the first is the one that ends with it.
  func calls(at event: Int) -> ArraySlice<Int> { underWay[underWayStart[event]..<underWayStart[event + 1]] }

  /// The needs of a state; none for one that no kind names.
  func needs(of state: Int) -> StateNeeds? { state >= 0 && state < needs.count ? needs[state] : nil }

  private mutating func assignSlots() {
    let byStart = calls.indices.sorted { (calls[$0].firstEvent, $0) < (calls[$1].firstEvent, $1) }
    var next = 0
    var current: [Int] = []
    var isFree: [Bool] = []
    for event in calls.indices {
      while next < byStart.count, calls[byStart[next]].firstEvent <= event {
        let call = byStart[next]
        let slot = isFree.firstIndex(of: true) ?? isFree.count
        if slot == isFree.count { isFree.append(false) } else { isFree[slot] = false }
        calls[call].slot = slot
        current.insert(call, at: current.firstIndex { $0 > call } ?? current.count)
        next += 1
      }
      underWay += current
      underWayStart.append(underWay.count)
      current.removeFirst()
      isFree[calls[event].slot] = true
    }
  }

  private mutating func indexProgress() {
    var least: [UInt64?] = Array(repeating: nil, count: calls.count + 1)
    for call in calls {
      guard let progress = kinds[call.kind].progress else { continue }
      least[call.firstEvent] = min(least[call.firstEvent] ?? .max, progress)
    }
    for event in calls.indices.reversed() {
      guard let later = least[event + 1] else { continue }
      least[event] = min(least[event] ?? .max, later)
    }
    progressLater = Array(least.dropFirst())
  }

  private mutating func indexNeeds(stateCount: Int) {
    needs = Array(repeating: StateNeeds(), count: stateCount)
    for (position, call) in calls.enumerated() {
      let kind = kinds[call.kind]
      if kind.isUnclear { lastUnclearCall = position }
      if kind.before >= 0 { needs[kind.before].demands.append(position) }
      guard !kind.isObservation else { continue }
      if kind.after >= 0 { needs[kind.after].supplies.append(position) } else { hasUnpredictable = true }
    }
    for (group, maybe) in maybes.enumerated() {
      let kind = kinds[maybe.kind]
      if !kind.isBlind { dependentMaybes.append(group) }
      if kind.isUnclear { hasUnclearMaybe = true }
      if kind.before >= 0 { needs[kind.before].maybeDemandCount += maybe.positions.count }
      if kind.after >= 0 { needs[kind.after].maybeSupplies.append(group) } else { hasUnpredictable = true }
    }
    for state in needs.indices {
      var first = Int.max
      let firsts = needs[state].supplies.reversed().map { call in
        first = min(first, calls[call].firstEvent)
        return first
      }
      needs[state].suppliesFirst = firsts.reversed()
    }
  }
}

extension [Int] {
  /// The position of the first element that is not below `value`, in an ascending array.
  func lowerBound(of value: Int) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
