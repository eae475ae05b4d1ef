import Testing

@testable import RaftCore

/// A log as a plain list that never forgets: what the structures of the core must agree with.
private struct PlainLog {
  var random: RandomSource
  /// The entry before the first one that ever was.
  let origin: EntryID
  var entries: [(term: UInt64, bytes: UInt32)] = []
  /// Through here it is compacted.
  var base: UInt64
  var last: UInt64 { origin.index.rawValue + UInt64(entries.count) }
  var lastTerm: UInt64 { entries.last?.term ?? origin.term.rawValue }

  init(seed: UInt64) {
    random = RandomSource(seed: seed)
    let isFresh = seed % 2 == 1
    origin = isFresh ? .zero : EntryID(term: Term(3), index: LogIndex(1_000))
    base = origin.index.rawValue
  }

  func term(_ index: UInt64) -> UInt64? {
    guard index >= base, index <= last else { return nil }
    guard index > origin.index.rawValue else { return origin.term.rawValue }
    return entries[Int(index - origin.index.rawValue) - 1].term
  }

  func bytes(after: UInt64, through: UInt64) -> UInt64 {
    let start = Int(after - origin.index.rawValue)
    return entries[start..<Int(through - origin.index.rawValue)].reduce(0) { $0 + UInt64($1.bytes) }
  }

  /// An index in `(base - slack, last + slack)`.
  mutating func index(slack: UInt64 = 0) -> UInt64 {
    .random(in: (base - min(base, slack))...(last + slack), using: &random)
  }

  mutating func pick(_ range: ClosedRange<UInt64>) -> UInt64 { .random(in: range, using: &random) }

  enum Change {
    case append(term: UInt64, bytes: UInt32)
    case truncate(after: UInt64)
    case compact(through: UInt64)
  }

  /// Changes the list at random, and tells how. It grows to a few thousand entries, so that everything that is done only
  /// once there are many of them takes place, and it is empty now and then.
  mutating func change() -> [Change] {
    switch pick(0...99) {
    case 0...7:
      let count = min(pick(0...12), last - base)
      entries.removeLast(Int(count))
      return [.truncate(after: last)]
    case 8:
      let after = index()
      entries.removeLast(Int(last - after))
      return [.truncate(after: after)]
    case 9...12:
      base += min(pick(0...400), last - base)
      return [.compact(through: base)]
    case 13: return [.compact(through: base - min(base, 1))]
    case 14 where pick(0...9) == 0:
      base = last
      return [.compact(through: base)]
    default:
      let isNewTerm = pick(0...3) == 0
      let term = max(1, lastTerm) + (isNewTerm ? pick(1...3) : 0)
      return (0..<pick(1...(isNewTerm ? 3 : 24))).map { _ in
        let bytes = UInt32(pick(0...3) == 0 ? 0 : pick(1...50))
        entries.append((term, bytes))
        return .append(term: term, bytes: bytes)
      }
    }
  }
}

@Suite("The log's shape, its payloads and its configurations agree with plain lists")
struct LogPropertyTests {
  @Test("the shape of the log", arguments: 1...4)
  func positions(seed: UInt64) {
    var model = PlainLog(seed: seed)
    var log = LogPositions(base: model.origin)
    var wrong: [String] = []
    for step in 0..<2_500 where wrong.count < 5 {
      for change in model.change() {
        switch change {
        case .append(let term, let bytes): log.append(term: Term(term), bytes: bytes)
        case .truncate(let after): log.truncate(after: LogIndex(after))
        case .compact(let through): log.compact(through: LogIndex(through))
        }
      }
      var found = shape(log, &model)
      found += agreement(log, &model)
      found += sizes(log, &model)
      wrong += found.map { "step \(step): \($0)" }
    }
    #expect(wrong.isEmpty, "\(wrong)")
  }

  private func shape(_ log: LogPositions, _ model: inout PlainLog) -> [String] {
    var wrong: [String] = []
    let baseTerm = model.term(model.base) ?? 0
    if log.base != EntryID(term: Term(baseTerm), index: LogIndex(model.base)) { wrong.append("base") }
    if log.last != EntryID(term: Term(model.lastTerm), index: LogIndex(model.last)) { wrong.append("last") }
    for _ in 0..<4 {
      let index = model.index(slack: 2)
      let term = model.term(index)
      if log.term(at: LogIndex(index))?.rawValue != term { wrong.append("term at \(index)") }
      for claimed in [term ?? 0, (term ?? 0) + 1] {
        let isThere = log.contains(EntryID(term: Term(claimed), index: LogIndex(index)))
        if isThere != (term == claimed) { wrong.append("contains \(index)@\(claimed)") }
      }
    }
    if model.last > model.base {
      let index = model.pick((model.base + 1)...model.last)
      var end = index
      while model.term(end + 1) == model.term(index) { end += 1 }
      if log.endOfRun(containing: LogIndex(index)).rawValue != end { wrong.append("end of run at \(index)") }
    }
    return wrong
  }

  private func agreement(_ log: LogPositions, _ model: inout PlainLog) -> [String] {
    var wrong: [String] = []
    let at = model.index(slack: 3)
    let limit = model.pick(0...(model.lastTerm + 1))
    var highest = min(at, model.last)
    while highest > model.base, model.term(highest).map({ $0 > limit }) ?? true { highest -= 1 }
    highest = max(highest, model.base)
    let expected = EntryID(term: Term(model.term(highest) ?? 0), index: LogIndex(highest))
    if log.highestEntry(at: LogIndex(at), termAtMost: Term(limit)) != expected {
      wrong.append("highest entry at \(at) of term \(limit)")
    }
    let after = model.index()
    let through = after + model.pick(0...40)
    let claimed = model.term(min(after + 1, model.last)) ?? 0
    var first: UInt64?
    if through > after { first = ((after + 1)...through).first { model.term($0) != claimed } }
    let found = log.firstDisagreement(
      after: LogIndex(after), through: LogIndex(through), term: Term(claimed))
    if found?.rawValue != first { wrong.append("disagreement in (\(after), \(through)]") }
    return wrong
  }

  private func sizes(_ log: LogPositions, _ model: inout PlainLog) -> [String] {
    var wrong: [String] = []
    let after = model.index()
    let through = min(model.last, after + model.pick(0...60))
    let sum = model.bytes(after: after, through: through)
    if log.bytes(after: LogIndex(after), through: LogIndex(through)) != sum {
      wrong.append("bytes in (\(after), \(through)]")
    }
    let limit = model.pick(0...(sum + 10))
    var (last, total) = (after, UInt64(0))
    while last < through {
      total += model.bytes(after: last, through: last + 1)
      guard total <= limit else { break }
      last += 1
    }
    last = max(last, min(after + 1, through))
    let taken = log.lastIndex(
      after: LogIndex(after), through: LogIndex(through), bytesAtMost: Int(limit))
    if taken.rawValue != last { wrong.append("\(limit) bytes from \(after) to \(through): \(taken)") }
    var first = through
    total = 0
    while first > model.base {
      total += model.bytes(after: first - 1, through: first)
      guard total <= limit else { break }
      first -= 1
    }
    let kept = log.firstIndex(through: LogIndex(through), bytesAtMost: limit)
    if kept.rawValue != first { wrong.append("\(limit) bytes back from \(through): \(kept)") }
    return wrong
  }

  @Test("the entries with their payloads", arguments: 1...4)
  func tail(seed: UInt64) {
    var model = PlainLog(seed: seed)
    var tail = LogTail<UInt64>(base: model.origin.index)
    // The payload says when an entry was appended, so that one that took another's place is told from it.
    var payloads: [UInt64] = []
    var wrong: [String] = []
    for step in 0..<2_500 where wrong.count < 5 {
      var fresh: [Entry<UInt64>] = []
      for change in model.change() {
        switch change {
        case .append(let term, let bytes):
          payloads.append(UInt64(step) << 32 | UInt64(payloads.count))
          let index = model.origin.index.advanced(by: payloads.count)
          fresh.append(
            Entry(
              id: EntryID(term: Term(term), index: index), content: .payload(payloads[payloads.count - 1]),
              bytes: bytes))
        case .truncate(let after):
          payloads.removeLast(payloads.count - Int(after - model.origin.index.rawValue))
          tail.truncate(after: LogIndex(after))
        case .compact(let through): tail.trim(through: LogIndex(through))
        }
      }
      if step % 2 == 0 {
        tail.append(contentsOf: fresh[...])
      } else {
        for entry in fresh { tail.append(entry) }
      }
      wrong += slices(tail, &model, payloads).map { "step \(step): \($0)" }
    }
    #expect(wrong.isEmpty, "\(wrong)")
  }

  private func slices(_ tail: LogTail<UInt64>, _ model: inout PlainLog, _ payloads: [UInt64]) -> [String] {
    var wrong: [String] = []
    if tail.base.rawValue != model.base || tail.lastIndex.rawValue != model.last { wrong.append("bounds") }
    let after = model.index(slack: 1)
    let through = model.index(slack: 1)
    let slice = tail.slice(after: LogIndex(after), through: LogIndex(through))
    let isHeld = after >= model.base && through <= model.last && after <= through
    guard isHeld, let slice else {
      if isHeld || slice != nil { wrong.append("(\(after), \(through)] is \(isHeld ? "" : "not ")held") }
      return wrong
    }
    if slice.count != Int(through - after) { wrong.append("(\(after), \(through)] has \(slice.count)") }
    // Looking at all of a long slice each time would take most of the test's time.
    let positions = slice.count < 30 ? Array(0..<slice.count) : [0, slice.count / 2, slice.count - 1]
    for position in positions {
      let entry = slice[slice.startIndex + position]
      let index = after + UInt64(position) + 1
      let payload = payloads[Int(index - model.origin.index.rawValue) - 1]
      if entry.id.index.rawValue != index || entry.id.term.rawValue != model.term(index)
        || entry.content != .payload(payload)
      {
        wrong.append("\(entry) stands at \(index)")
      }
    }
    return wrong
  }

  @Test("the configurations in the log", arguments: 1...4)
  func configurations(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    var choices: [Configuration] = []
    for voters in 1...9 {
      choices.append(
        try Configuration(
          voters: (1...voters).map { Member(id: NodeID(UInt64($0)), address: "a", store: .durable) }))
    }
    let start = UInt64.random(in: 0...9, using: &random)
    var log = ConfigurationLog(base: IndexedConfiguration(index: LogIndex(start), configuration: choices[0]))
    var model: [(index: UInt64, choice: Int)] = [(start, 0)]
    var (base, last) = (start, start)
    var wrong: [String] = []
    for step in 0..<4_000 where wrong.count < 5 {
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        last = .random(in: (last - min(last - base, 9))...last, using: &random)
        let isOther = model.last.map { $0.index > last } ?? false
        model.removeAll { $0.index > last }
        if log.truncate(after: LogIndex(last)) != isOther { wrong.append("step \(step): truncation") }
      case 1:
        base = .random(in: base...last, using: &random)
        while model.count > 1, model[1].index <= base { model.removeFirst() }
        log.compact(through: LogIndex(base))
      case 2, 3: last += .random(in: 1...5, using: &random)
      default:
        last += 1
        let choice = Int.random(in: choices.indices, using: &random)
        model.append((last, choice))
        log.append(IndexedConfiguration(index: LogIndex(last), configuration: choices[choice]))
      }
      for index in [last, .random(in: base...last, using: &random)] {
        let inForce = model.last { $0.index <= index }
        let expected = inForce.map {
          IndexedConfiguration(index: LogIndex($0.index), configuration: choices[$0.choice])
        }
        if log.inForce(at: LogIndex(index)) != expected { wrong.append("step \(step): in force at \(index)") }
        if index == last, log.current != expected { wrong.append("step \(step): current") }
        let carried = inForce?.index == index ? expected?.configuration : nil
        if log.configuration(at: LogIndex(index)) != carried { wrong.append("step \(step): at \(index)") }
      }
    }
    #expect(wrong.isEmpty, "\(wrong)")
  }
}
