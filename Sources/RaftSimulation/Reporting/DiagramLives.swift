/// The lines of the hosts: when each one runs, in which term, and who leads.
struct DiagramLives {
  /// A part of a line.
  struct Part {
    let line: Int
    let top: Double
    let bottom: Double
    let life: Life
  }

  /// What a host is for a while.
  enum Life: Hashable {
    /// Not there yet.
    case absent
    case down
    /// With the last term that is known, and what it is in it.
    case up(term: UInt64?, role: String)
  }

  /// From top to bottom for each line.
  private(set) var parts: [Part] = []
  /// While processes stand still.
  private(set) var pauses: [(line: Int, top: Double, bottom: Double)] = []

  private var lives: [(life: Life, since: Double)]
  private var pausedSince: [(height: Double, until: UInt64)?]
  private let columns: DiagramColumns

  /// - Parameters:
  ///   - earlier: Events before the drawing begins.
  ///   - isCut: Whether there were events before these that are not known at all.
  init(
    earlier: ArraySlice<RunEvent>, shown: ArraySlice<RunEvent>, isCut: Bool, timeline: DiagramTimeline,
    columns: DiagramColumns
  ) {
    self.columns = columns
    lives = Array(repeating: (.absent, 0), count: columns.lines)
    pausedSince = Array(repeating: nil, count: columns.lines)
    begin(earlier, shown, isCut: isCut)
    for event in earlier { follow(event, at: 0, timeline) }
    for (event, height) in zip(shown, timeline.heights) { follow(event, at: height, timeline) }
    let end = timeline.bottom + DiagramTimeline.step
    for line in lives.indices {
      endPause(of: line, at: end, timeline)
      change(line, to: .absent, at: end)
    }
  }

  /// A host whose first sign of life is not its start runs from the beginning.
  private mutating func begin(_ earlier: ArraySlice<RunEvent>, _ shown: ArraySlice<RunEvent>, isCut: Bool) {
    var isKnown = lives.map { _ in false }
    for event in [earlier, shown].joined() where event.isOfProcess {
      let line = columns.line(of: event.node)
      guard !isKnown[line] else { continue }
      isKnown[line] = true
      if case .started = event.kind {
        lives[line].life = isCut ? .down : .absent
      } else {
        lives[line].life = .up(term: nil, role: "")
      }
    }
  }

  private mutating func follow(_ event: RunEvent, at height: Double, _ timeline: DiagramTimeline) {
    let line = columns.line(of: event.node)
    switch event.kind {
    case .started:
      endPause(of: line, at: height, timeline)
      change(line, to: .up(term: nil, role: ""), at: height)
    case .crashed:
      endPause(of: line, at: height, timeline)
      change(line, to: .down, at: height)
    case .paused(let until):
      endPause(of: line, at: height, timeline)
      pausedSince[line] = (height, until)
    case .role(let name, let term): change(line, to: .up(term: term, role: name), at: height)
    case .sent(_, _, _, let term):
      // A host may enter a term without another part to play, which shows in what it sends; nobody leads two terms.
      guard case .up(let known, let role) = lives[line].life, known != term else { return }
      change(line, to: .up(term: term, role: role == "leader" ? "" : role), at: height)
    default: break
    }
  }

  private mutating func change(_ line: Int, to life: Life, at height: Double) {
    let (before, since) = lives[line]
    if before != .absent, height > since {
      parts.append(Part(line: line, top: since, bottom: height, life: before))
    }
    lives[line] = (life, height)
  }

  private mutating func endPause(of line: Int, at height: Double, _ timeline: DiagramTimeline) {
    guard let (since, until) = pausedSince[line] else { return }
    pausedSince[line] = nil
    let end = min(height, timeline.height(of: until))
    if end > since { pauses.append((line, since, end)) }
  }
}
