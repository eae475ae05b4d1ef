import RaftCore

/// Random numbers that are the same in every run.
struct FuzzRandom: RandomNumberGenerator {
  private var source: RandomSource

  init(seed: UInt64) { source = RandomSource(seed: seed) }

  mutating func next() -> UInt64 { source.next() }

  mutating func below(_ limit: Int) -> Int { limit <= 1 ? 0 : Int(next() % UInt64(limit)) }

  mutating func isOne(in count: Int) -> Bool { below(count) == 0 }

  mutating func element<Element>(of list: [Element]) -> Element? {
    list.isEmpty ? nil : list[below(list.count)]
  }
}

/// Makes inputs of others: what a parser has to bear is mostly what it knows, with something wrong.
struct Mutator {
  /// What is known to be of interest.
  let seeds: [Bytes]
  /// The longest input that is made.
  private static let longest = 64 << 10

  private static let numbers = [
    "0", "-1", "1", "-0", "00", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "18446744073709551615", "4294967295", "4294967296", "2147483648", "1e400", "-1e-400", "0.1", "1048577",
    "536870912",
    "inf", "nan", "", " ", "+1", "1.5",
  ].map { Bytes($0.utf8) }

  private static let bytes: [UInt8] = [
    0, 1, 7, 9, 10, 13, 32, 34, 36, 39, 42, 44, 45, 58, 91, 92, 93, 123, 125, 127, 128, 0xBF, 0xC0, 0xE2,
    0xED, 0xF4,
    0xFE, 0xFF,
  ]

  /// A seed, changed in a few places; now and then as it is.
  func input(_ random: inout FuzzRandom) -> Bytes {
    var input = random.element(of: seeds) ?? []
    if random.isOne(in: 32) { return input }
    for _ in 0...random.below(random.isOne(in: 8) ? 24 : 4) { change(&input, &random) }
    if input.count > Self.longest { input.removeLast(input.count - Self.longest) }
    return input
  }

  private func change(_ input: inout Bytes, _ random: inout FuzzRandom) {
    let place = random.below(input.count + 1)
    let length = min(input.count - place, 1 + random.below(random.isOne(in: 4) ? 64 : 6))
    switch random.below(12) {
    case 0: if place < input.count { input[place] ^= 1 << UInt8(random.below(8)) }
    case 1: if place < input.count { input[place] = UInt8(truncatingIfNeeded: random.next()) }
    case 2: if place < input.count { input[place] = random.element(of: Self.bytes) ?? 0 }
    case 3: input.insert(random.element(of: Self.bytes) ?? 0, at: place)
    case 4: input.removeSubrange(place..<(place + length))
    case 5: input.insert(contentsOf: input[place..<(place + length)], at: place)
    case 6: replaceNumber(&input, near: place, &random)
    case 7: input.replaceSubrange(place..<(place + length), with: random.element(of: Self.numbers) ?? [])
    case 8: splice(&input, at: place, &random)
    case 9: input.removeLast(input.count - place)
    case 10: input += random.element(of: seeds) ?? []
    default: if random.isOne(in: 40) { repeatPart(&input, place..<(place + length), &random) }
    }
  }

  /// Another number in the place of one that is there, which is what lengths are.
  private func replaceNumber(_ input: inout Bytes, near place: Int, _ random: inout FuzzRandom) {
    let digits: ClosedRange<UInt8> = 0x30...0x39
    guard let start = input[place...].firstIndex(where: { digits.contains($0) }) else { return }
    let end = input[start...].firstIndex { !digits.contains($0) } ?? input.count
    input.replaceSubrange(start..<end, with: random.element(of: Self.numbers) ?? [])
  }

  private func splice(_ input: inout Bytes, at place: Int, _ random: inout FuzzRandom) {
    guard let other = random.element(of: seeds) else { return }
    let start = random.below(other.count + 1)
    let end = start + random.below(other.count - start + 1)
    input.insert(contentsOf: other[start..<end], at: place)
  }

  private func repeatPart(_ input: inout Bytes, _ range: Range<Int>, _ random: inout FuzzRandom) {
    let part = Bytes(input[range])
    guard !part.isEmpty else { return }
    let count = 1 + random.below(4_096)
    input.insert(contentsOf: repeatElement(part, count: count).joined(), at: range.lowerBound)
  }

  /// The pieces in which an input arrives: mostly one, else a few, or one for each byte.
  static func pieces(of input: Bytes, _ random: inout FuzzRandom) -> [Bytes] {
    switch random.below(8) {
    case 0 where input.count < 2_000: return input.map { [$0] }
    case 1...4:
      let cuts = (0..<(1 + random.below(4))).map { _ in random.below(input.count + 1) }.sorted()
      let ends = cuts + [input.count]
      return zip([0] + cuts, ends).map { Bytes(input[$0..<$1]) }
    default: return [input]
    }
  }
}
