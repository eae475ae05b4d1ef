/// Where each event of a drawing is. Time runs downwards.
///
/// Ticks in which nothing happens take little room, and those in which much happens take as much as they need. What
/// happens at one host in one tick stands in a column, in its order; an arrival is always below the sending of its
/// message.
struct DiagramTimeline {
  /// The distance of two events of a host.
  static let step = 11.0
  /// The first event.
  static let top = 18.0
  /// Ticks without events take no more than this.
  static let gapMax = 60.0

  /// The height of each event, in pixels from the top.
  private(set) var heights: [Double] = []
  /// For an arrival or a loss: which event sent the message. For the first event of a violation: which event came before.
  private(set) var causes: [Int?] = []
  /// Where each tick begins; the ticks and the heights both grow.
  private(set) var ticks: [(tick: UInt64, height: Double)] = []
  /// The lowest event.
  private(set) var bottom = top

  private var sent: [UInt64: Int] = [:]
  /// The last event of each line.
  private var last: [(index: Int, height: Double)?]
  private var floor = top
  private let columns: DiagramColumns

  init(of events: ArraySlice<RunEvent>, columns: DiagramColumns) {
    self.columns = columns
    last = Array(repeating: nil, count: columns.lines)
    let events = Array(events)
    for index in events.indices { place(index, events) }
  }

  private mutating func place(_ index: Int, _ events: [RunEvent]) {
    let event = events[index]
    open(event.tick)
    let line = columns.line(of: event.node)
    let below = max(floor, last[line].map { $0.height + Self.step } ?? floor)
    var height = below
    var cause: Int?
    switch event.kind {
    case .sent(let message, _, _, _):
      sent[message] = index
      // A message to everybody leaves from one point.
      if let before = last[line], before.height >= floor, case .sent = events[before.index].kind {
        height = before.height
      }
    case .arrived(let message, _):
      cause = sent[message]
      if let cause { height = max(below, heights[cause] + Self.step) }
    case .lost(let message):
      cause = sent[message]
      // Lost on its way: it takes no room in the column of a host.
      height = max(floor, cause.map { heights[$0] + Self.step } ?? floor)
    case .violation:
      height = bottom + Self.step
      floor = height + Self.step
      cause = events[..<index].lastIndex { !$0.isViolation }
    default: break
    }
    if event.isOfHost { last[line] = (index, height) }
    heights.append(height)
    causes.append(cause)
    bottom = max(bottom, height)
  }

  /// Begins a tick below everything that was before.
  private mutating func open(_ tick: UInt64) {
    guard let before = ticks.last else {
      ticks.append((tick, floor))
      return
    }
    guard tick > before.tick else { return }
    let gap = min(Self.gapMax, 0.6 * Double(tick - before.tick))
    floor = bottom + max(Self.step, gap)
    ticks.append((tick, floor))
  }

  /// The height of a tick, also of one in which nothing happens.
  func height(of tick: UInt64) -> Double {
    var low = 0
    var high = ticks.count
    while low < high {
      let middle = (low + high) / 2
      if ticks[middle].tick <= tick { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return 0 }
    guard low < ticks.count else { return tick == ticks[low - 1].tick ? ticks[low - 1].height : bottom }
    let (before, after) = (ticks[low - 1], ticks[low])
    let part = Double(tick - before.tick) / Double(after.tick - before.tick)
    return before.height + part * (after.height - before.height)
  }
}

extension RunEvent {
  var isViolation: Bool {
    if case .violation = kind { return true }
    return false
  }

  /// Whether it has happened at its host: a loss happens between two, and a violation is one of the whole cluster.
  var isOfHost: Bool {
    switch kind {
    case .lost, .violation: false
    default: true
    }
  }

  /// Whether it shows that a process runs.
  var isOfProcess: Bool {
    switch kind {
    case .lost, .violation, .fault: false
    default: true
    }
  }
}
