import RaftCore

/// One JSON value as canonical text: valid UTF-8, no white space between tokens, and strings spelled in the one way
/// described at ``JSONParser``. Everything else stands as it was written: numbers keep their digits, objects the
/// order of their members, and repeated names inside a value stay, so that every client reads from it exactly what it
/// would have read from its own text.
public struct JSONDocument: Hashable, Sendable {
  /// The canonical text; never longer than what it was parsed from.
  public let text: Bytes
  /// The members of the outermost object, in order, repeated names included; empty for any other value.
  public let members: [Member]

  /// One member of an object: where its parts stand in the text.
  public struct Member: Hashable, Sendable {
    /// The name, quotes included.
    public let name: Range<Int>
    /// The value.
    public let value: Range<Int>
  }

  /// What a value is.
  public enum Kind: Hashable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool
    /// A number.
    case number
    /// A string.
    case string
    /// An array.
    case array
    /// An object.
    case object
  }

  init(text: Bytes, members: [Member]) {
    self.text = text
    self.members = members
  }

  /// What the whole value is.
  public var kind: Kind { kind(at: 0) }

  /// What the value at `range` is.
  func kind(of range: Range<Int>) -> Kind { kind(at: range.lowerBound) }

  private func kind(at offset: Int) -> Kind {
    switch text[offset] {
    case UInt8(ascii: "n"): .null
    case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
    case UInt8(ascii: "\""): .string
    case UInt8(ascii: "["): .array
    case UInt8(ascii: "{"): .object
    default: .number
    }
  }

  /// Where the value of the member stands whose name is `name`, given as canonical text with its quotes. Of several,
  /// the last one wins.
  func value(of name: Bytes) -> Range<Int>? {
    members.last { text[$0.name].elementsEqual(name) }?.value
  }

  /// The members without repetitions: each name where it stood first, with the value it had last.
  var distinctMembers: [Member] {
    var positions: [ArraySlice<UInt8>: Int] = [:]
    var distinct: [Member] = []
    for member in members {
      if let position = positions[text[member.name]] {
        distinct[position] = Member(name: distinct[position].name, value: member.value)
      } else {
        positions[text[member.name]] = distinct.count
        distinct.append(member)
      }
    }
    return distinct
  }

  /// The UTF-8 that the string at `range` stands for; nil if it holds half a surrogate pair, which no UTF-8 can hold.
  func decodedString(at range: Range<Int>) -> Bytes? {
    var decoded: Bytes = []
    decoded.reserveCapacity(range.count - 2)
    var index = range.lowerBound + 1
    while index < range.upperBound - 1 {
      guard text[index] == UInt8(ascii: "\\") else {
        decoded.append(text[index])
        index += 1
        continue
      }
      index += 2
      switch text[index - 1] {
      case UInt8(ascii: "b"): decoded.append(0x08)
      case UInt8(ascii: "t"): decoded.append(0x09)
      case UInt8(ascii: "n"): decoded.append(0x0A)
      case UInt8(ascii: "f"): decoded.append(0x0C)
      case UInt8(ascii: "r"): decoded.append(0x0D)
      case UInt8(ascii: "u"):
        // Canonical text escapes nothing else by number: U+0000 to U+001F, and halves of surrogate pairs.
        guard text[index] == UInt8(ascii: "0") else { return nil }
        let digits = text[(index + 2)..<(index + 4)]
        decoded.append(digits.reduce(0) { $0 << 4 | (JSONParser.hexDigitValue($1) ?? 0) })
        index += 4
      case let quoted: decoded.append(quoted)
      }
    }
    return decoded
  }
}
