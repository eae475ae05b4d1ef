/// Numbers by number: a hash table without removal. The highest key is not used.
struct PairTable {
  private var keys: [UInt64] = Array(repeating: .max, count: 1024)
  private var values: [UInt32] = Array(repeating: 0, count: 1024)
  private var count = 0

  func value(for key: UInt64) -> UInt32? {
    let place = place(of: key)
    return keys[place] == .max ? nil : values[place]
  }

  mutating func insert(_ value: UInt32, for key: UInt64) { _ = self.value(for: key, orInsert: value) }

  /// The value that is known, or `value`, which is known from now on.
  mutating func value(for key: UInt64, orInsert value: UInt32) -> UInt32 {
    var place = place(of: key)
    if keys[place] != .max { return values[place] }
    if count * 2 >= keys.count {
      grow()
      place = self.place(of: key)
    }
    keys[place] = key
    values[place] = value
    count += 1
    return value
  }

  private func place(of key: UInt64) -> Int {
    let mask = keys.count - 1
    var hash = key &* 0x9E37_79B9_7F4A_7C15
    hash ^= hash >> 32
    var place = Int(truncatingIfNeeded: hash) & mask
    while keys[place] != .max, keys[place] != key { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    let old = (keys: keys, values: values)
    keys = Array(repeating: .max, count: old.keys.count * 2)
    values = Array(repeating: 0, count: old.keys.count * 2)
    for position in old.keys.indices where old.keys[position] != .max {
      let place = place(of: old.keys[position])
      keys[place] = old.keys[position]
      values[place] = old.values[position]
    }
  }
}
