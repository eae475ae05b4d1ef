/// A small set of small numbers. Equal sets are equal values.
struct SlotSet: Hashable, Sendable {
  /// One bit for each number below 64: all that most histories need.
  private var low: UInt64 = 0
  /// One bit for each further number; the last word is not 0.
  private var high: [UInt64] = []

  func contains(_ slot: Int) -> Bool {
    guard slot >= 64 else { return low & (1 << UInt64(slot)) != 0 }
    let word = slot / 64 - 1
    return word < high.count && high[word] & (1 << UInt64(slot % 64)) != 0
  }

  mutating func insert(_ slot: Int) {
    guard slot >= 64 else {
      low |= 1 << UInt64(slot)
      return
    }
    let word = slot / 64 - 1
    while high.count <= word { high.append(0) }
    high[word] |= 1 << UInt64(slot % 64)
  }

  mutating func remove(_ slot: Int) {
    guard slot >= 64 else {
      low &= ~(1 << UInt64(slot))
      return
    }
    let word = slot / 64 - 1
    guard word < high.count else { return }
    high[word] &= ~(1 << UInt64(slot % 64))
    while high.last == 0 { high.removeLast() }
  }
}
