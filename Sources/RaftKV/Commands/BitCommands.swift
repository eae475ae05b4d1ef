import RaftCore

/// The commands of strings as rows of bits, of which the highest of the first byte is the first.
enum BitCommand: String {
  case getbit, setbit, bitcount, bitpos
}

extension CommandInterpreter {
  static func run(
    _ command: BitCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch command {
    case .getbit: try getBit(call, store)
    case .setbit: try setBit(call, &store)
    case .bitcount: try countBits(call, store)
    case .bitpos: try findBit(call, store)
    }
  }

  private static func getBit(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    let offset = try bitOffset(call)
    guard let (header, bytes) = store.record(namespace: call.namespace, key: call.key) else {
      return .integer(0)
    }
    guard header.kind != .bloomFilter else { throw .wrongType }
    let place = header.length * 8 + offset
    return .integer(place / 8 < bytes.count && bytes.bit(place) ? 1 : 0)
  }

  private static func setBit(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let offset = try bitOffset(call)
    guard offset / 8 < CommandTable.longestString else { throw wrongOffset }
    guard let bit = NumberText.integer(call[3]), bit == 0 || bit == 1 else {
      throw CommandError("ERR bit is not an integer or out of range")
    }
    let old = try string(call.key, call, store)
    var payload = old?.payload ?? []
    let isLonger = payload.count <= offset / 8
    if isLonger { payload += repeatElement(0, count: offset / 8 + 1 - payload.count) }
    let was = payload.bit(offset)
    // Whoever watches the key sees no change where there is none.
    guard isLonger || was != (bit == 1) else { return .integer(bit) }
    let mask: UInt8 = 0x80 >> UInt8(offset % 8)
    payload[offset / 8] = bit == 1 ? payload[offset / 8] | mask : payload[offset / 8] & ~mask
    replaceString(old, with: payload, call, &store)
    return .integer(was ? 1 : 0)
  }

  private static func bitOffset(_ call: CommandCall) throws(CommandError) -> Int {
    guard let offset = NumberText.integer(call[2]), offset >= 0,
      offset < CommandTable.bitOffsetEnd
    else { throw wrongOffset }
    return Int(offset)
  }

  private static var wrongOffset: CommandError {
    CommandError("ERR bit offset is not an integer or out of range")
  }

  private static func countBits(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    guard let payload = try string(call.key, call, store)?.payload else { return .integer(0) }
    guard call.count != 2 else { return .integer(Int64(payload.countBits(in: 0..<payload.count * 8))) }
    guard call.count == 4 || call.count == 5 else { throw .syntax }
    let (start, end) = (try call.integer(2), try call.integer(3))
    // Positions in the wrong order are answered before the word behind them is read.
    guard !(start < 0 && end < 0 && start > end) else { return .integer(0) }
    let unit = try bitUnit(call, at: 4)
    guard let range = byteRange(start, end, count: payload.count * 8 / unit) else { return .integer(0) }
    return .integer(Int64(payload.countBits(in: range.lowerBound * unit..<(range.upperBound + 1) * unit)))
  }

  private static func findBit(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    let number = try call.integer(2)
    guard number == 0 || number == 1 else { throw CommandError("ERR The bit argument must be 1 or 0.") }
    guard let payload = try string(call.key, call, store)?.payload else {
      return .integer(number == 1 ? -1 : 0)
    }
    guard call.count <= 6 else { throw .syntax }
    let start = call.count > 3 ? try call.integer(3) : 0
    let unit = try bitUnit(call, at: 5)
    let end = call.count > 4 ? try call.integer(4) : -1
    let count = payload.count * 8 / unit
    let length = Int64(count)
    let first = max(start < 0 ? start + length : start, 0)
    let last = min(max(end < 0 ? end + length : end, 0), length - 1)
    guard first <= last else { return .integer(-1) }
    let range = Int(first) * unit..<(Int(last) + 1) * unit
    if let found = payload.firstBit(number == 1, in: range) { return .integer(Int64(found)) }
    // Behind a string without an end that was asked for, there are zeros.
    return .integer(number == 0 && call.count <= 4 ? Int64(payload.count * 8) : -1)
  }

  /// How many bits the positions count by.
  private static func bitUnit(_ call: CommandCall, at index: Int) throws(CommandError) -> Int {
    guard index < call.count else { return 8 }
    switch call.option(index) {
    case "BYTE": return 8
    case "BIT": return 1
    default: throw .syntax
    }
  }
}

extension Bytes {
  /// The bit at `offset`.
  fileprivate func bit(_ offset: Int) -> Bool { self[offset / 8] & (0x80 >> UInt8(offset % 8)) != 0 }

  fileprivate func countBits(in range: Range<Int>) -> Int {
    var count = 0
    var index = range.lowerBound
    while index < range.upperBound {
      if index % 8 == 0, index + 8 <= range.upperBound {
        count += self[index / 8].nonzeroBitCount
        index += 8
      } else {
        count += bit(index) ? 1 : 0
        index += 1
      }
    }
    return count
  }

  fileprivate func firstBit(_ wanted: Bool, in range: Range<Int>) -> Int? {
    let uninteresting: UInt8 = wanted ? 0 : 0xFF
    var index = range.lowerBound
    while index < range.upperBound {
      if index % 8 == 0, self[index / 8] == uninteresting {
        index += 8
      } else if bit(index) == wanted {
        return index
      } else {
        index += 1
      }
    }
    return nil
  }
}
