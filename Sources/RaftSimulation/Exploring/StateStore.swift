/// All states that were visited, in the order in which they were found, each with the one before it on a shortest way.
///
/// A state is a few numbers of 32 bits, and these are kept, not a hash: no two states are ever taken for one.
struct StateStore {
  /// The most states that it can hold.
  static let capacity = 1 << positionBits - 1

  private static let chunkBits = 18
  private static let positionBits = 28
  private static let positionMask: UInt32 = 1 << 28 - 1

  private let width: Int
  private(set) var count = 0
  /// The states one behind the other, each followed by the position that it was found from; in pieces, so that nothing
  /// is moved when there are more.
  private var chunks: [[UInt32]] = []
  /// A hash table of positions, each below four bits of its state's hash, which spare most looks at other states.
  private var index: [UInt32] = Array(repeating: .max, count: 1 << 16)

  init(width: Int) { self.width = width }

  /// Copies the state at `position`.
  func read(_ position: Int, into state: inout [UInt32]) {
    let offset = Self.offset(of: position) * (width + 1)
    chunks[position >> Self.chunkBits].withUnsafeBufferPointer { chunk in
      for place in 0..<width { state[place] = chunk[offset + place] }
    }
  }

  /// The position of the state that the one at `position` was found from.
  func origin(of position: Int) -> Int {
    Int(chunks[position >> Self.chunkBits][Self.offset(of: position) * (width + 1) + width])
  }

  /// Adds a state unless it is known. Returns whether it was added.
  ///
  /// - Precondition: ``count`` is less than ``capacity``.
  mutating func insert(_ state: [UInt32], from origin: Int) -> Bool {
    if count * 3 >= index.count * 2 { grow() }
    let (mask, hash) = (index.count - 1, hash(state))
    let tag = Self.tag(of: hash)
    var place = Int(truncatingIfNeeded: hash) & mask
    while index[place] != .max {
      if index[place] & ~Self.positionMask == tag, isEqual(Int(index[place] & Self.positionMask), state) {
        return false
      }
      place = (place + 1) & mask
    }
    index[place] = UInt32(count) | tag
    append(state, from: origin)
    return true
  }

  private mutating func append(_ state: [UInt32], from origin: Int) {
    if Self.offset(of: count) == 0 {
      var chunk: [UInt32] = []
      chunk.reserveCapacity((width + 1) << Self.chunkBits)
      chunks.append(chunk)
    }
    let last = chunks.count - 1
    for place in 0..<width { chunks[last].append(state[place]) }
    chunks[last].append(UInt32(origin))
    count += 1
  }

  private func isEqual(_ position: Int, _ state: [UInt32]) -> Bool {
    let offset = Self.offset(of: position) * (width + 1)
    return chunks[position >> Self.chunkBits].withUnsafeBufferPointer { chunk in
      for place in 0..<width where chunk[offset + place] != state[place] { return false }
      return true
    }
  }

  private static func offset(of position: Int) -> Int { position & ((1 << chunkBits) - 1) }

  /// The part of a hash that stands above a position. The highest position is not used, so that no entry looks empty.
  private static func tag(of hash: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: hash >> 32) & ~positionMask
  }

  private func hash(_ state: [UInt32]) -> UInt64 {
    var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    for place in 0..<width {
      hash = (hash ^ UInt64(state[place])) &* 0xBF58_476D_1CE4_E5B9
      hash ^= hash >> 29
    }
    hash = hash &* 0x94D0_49BB_1331_11EB
    return hash ^ hash >> 32
  }

  private mutating func grow() {
    index = Array(repeating: .max, count: index.count * 2)
    let mask = index.count - 1
    var state = [UInt32](repeating: 0, count: width)
    for position in 0..<count {
      read(position, into: &state)
      let hash = hash(state)
      var place = Int(truncatingIfNeeded: hash) & mask
      while index[place] != .max { place = (place + 1) & mask }
      index[place] = UInt32(position) | Self.tag(of: hash)
    }
  }
}
