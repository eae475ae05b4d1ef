import Glibc

/// Writes requests. Everything but the key is the same in all of them, so that one is made by copying, and by putting the
/// digits of the key into their place.
struct RequestEncoder {
  private struct Template {
    var bytes: [UInt8]
    /// Where the digits of the key begin.
    var digitsAt: Int
  }

  private static let digits = 12
  private let read: Template
  private let write: Template
  /// The decimal digits of 0 to 9,999, four for each.
  private let fours: [UInt8]

  init(_ wireProtocol: BenchPlan.WireProtocol, valueBytes: Int) {
    let value = String(repeating: "x", count: valueBytes)
    switch wireProtocol {
    case .json:
      read = Self.template(#"{"type":"get","key":"key:"#, "\"}\n")
      write = Self.template(#"{"type":"put","key":"key:"#, "\",\"value\":\"\(value)\"}\n")
    case .resp:
      read = Self.template("*2\r\n$3\r\nGET\r\n$16\r\nkey:", "\r\n")
      write = Self.template("*3\r\n$3\r\nSET\r\n$16\r\nkey:", "\r\n$\(valueBytes)\r\n\(value)\r\n")
    }
    fours = (0..<10_000).flatMap { number in
      [1_000, 100, 10, 1].map { UInt8(48 + number / $0 % 10) }
    }
  }

  /// The bytes of the longest request.
  var bytesMax: Int { max(read.bytes.count, write.bytes.count) }

  /// Writes a request to where there is room for the longest one, and returns its size.
  func encode(_ key: UInt64, isRead: Bool, to place: UnsafeMutableRawPointer) -> Int {
    let template = isRead ? read : write
    template.bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { memcpy(place, base, bytes.count) }
    }
    fours.withUnsafeBytes { fours in
      guard let base = fours.baseAddress else { return }
      let digits = place + template.digitsAt
      memcpy(digits, base + Int(4 * (key / 100_000_000 % 10_000)), 4)
      memcpy(digits + 4, base + Int(4 * (key / 10_000 % 10_000)), 4)
      memcpy(digits + 8, base + Int(4 * (key % 10_000)), 4)
    }
    return template.bytes.count
  }

  private static func template(_ before: String, _ after: String) -> Template {
    Template(
      bytes: Array((before + String(repeating: "0", count: digits) + after).utf8),
      digitsAt: before.utf8.count)
  }
}
