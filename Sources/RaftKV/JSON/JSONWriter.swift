import RaftCore

/// Appends JSON text to a byte buffer: compact, valid UTF-8, strings in the canonical spelling of ``JSONParser``.
public struct JSONWriter: Sendable {
  /// What has been written so far.
  public private(set) var bytes: Bytes

  /// Starts with an empty buffer that holds `capacity` bytes before it grows.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Appends text that is JSON already, or a part of it.
  public mutating func write(raw text: some Collection<UInt8>) { bytes.append(contentsOf: text) }

  /// Appends fixed text that is JSON already, or a part of it.
  public mutating func write(raw text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  /// Appends a string, with its quotes.
  public mutating func write(_ string: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in string.utf8 { Self.append(asciiOrUTF8: byte, to: &bytes) }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends a number.
  public mutating func write(_ number: UInt64) { bytes.append(contentsOf: "\(number)".utf8) }

  /// Appends `true` or `false`.
  public mutating func write(_ value: Bool) { write(raw: value ? "true" : "false") }

  /// Appends one byte of a string's UTF-8, escaped if JSON demands it.
  static func append(asciiOrUTF8 byte: UInt8, to text: inout Bytes) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
    case 0x08: text += [UInt8(ascii: "\\"), UInt8(ascii: "b")]
    case 0x09: text += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
    case 0x0A: text += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
    case 0x0C: text += [UInt8(ascii: "\\"), UInt8(ascii: "f")]
    case 0x0D: text += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
    case 0..<0x20: append(escaped: UInt16(byte), to: &text)
    default: text.append(byte)
    }
  }

  /// Appends a code unit by its number.
  static func append(escaped unit: UInt16, to text: inout Bytes) {
    text += [UInt8(ascii: "\\"), UInt8(ascii: "u")]
    for shift in [12, 8, 4, 0] as [UInt16] {
      let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
      text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
