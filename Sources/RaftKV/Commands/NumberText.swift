import RaftCore

/// Numbers as commands read and write them.
enum NumberText {
  /// The whole number that `text` is; nil if it is none, or if it is not written the one way that numbers are written:
  /// without spaces, plus sign and leading zeros.
  static func integer(_ text: Bytes) -> Int64? { integer(text[...]) }

  /// The same of a part of some bytes.
  static func integer(_ text: ArraySlice<UInt8>) -> Int64? {
    guard let first = text.first, text.count <= 20 else { return nil }
    if first == 0x30, text.count == 1 { return 0 }
    let isNegative = first == 0x2D
    let digits = isNegative ? text.dropFirst() : text
    guard let leading = digits.first, leading != 0x30 else { return nil }
    var value: Int64 = 0
    for byte in digits {
      guard let digit = digit(byte) else { return nil }
      let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
      // Counted downwards, as the lowest number has no positive counterpart.
      let (next, overflowed) = shifted.subtractingReportingOverflow(Int64(digit))
      guard !overflow, !overflowed else { return nil }
      value = next
    }
    guard !isNegative else { return value }
    return value == .min ? nil : -value
  }

  /// The text of `value`.
  static func text(_ value: Int64) -> Bytes { Bytes(String(value).utf8) }

  /// The value of a decimal digit.
  static func digit(_ byte: UInt8) -> UInt8? { (0x30...0x39).contains(byte) ? byte - 0x30 : nil }

  /// The value of a hexadecimal digit.
  static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }
}
