/// CRC-32C (Castagnoli), by which every frame and every stored record is checked. It finds every error burst of up to
/// 32 bits; it is no protection against somebody who means to deceive.
public enum Checksum {
  /// The checksum of `bytes[range]`, continuing from `seed` (the checksum of what comes before it).
  public static func crc32c(_ bytes: Bytes, in range: Range<Int>, seed: UInt32 = 0) -> UInt32 {
    var crc = ~seed
    var offset = range.lowerBound
    while offset + 8 <= range.upperBound {
      let low =
        crc
        ^ (UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
          | UInt32(bytes[offset + 3]) << 24)
      crc = tables[7 * 256 + Int(low & 0xFF)] ^ tables[6 * 256 + Int(low >> 8 & 0xFF)]
      crc ^= tables[5 * 256 + Int(low >> 16 & 0xFF)] ^ tables[4 * 256 + Int(low >> 24)]
      crc ^= tables[3 * 256 + Int(bytes[offset + 4])] ^ tables[2 * 256 + Int(bytes[offset + 5])]
      crc ^= tables[256 + Int(bytes[offset + 6])] ^ tables[Int(bytes[offset + 7])]
      offset += 8
    }
    while offset < range.upperBound {
      crc = tables[Int((crc ^ UInt32(bytes[offset])) & 0xFF)] ^ crc >> 8
      offset += 1
    }
    return ~crc
  }

  /// The checksum of all of `bytes`.
  public static func crc32c(_ bytes: Bytes) -> UInt32 { crc32c(bytes, in: 0..<bytes.count) }

  /// Eight tables of 256: the n-th holds the effect of a byte that is followed by n zero bytes.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? 0x82F6_3B78 ^ crc >> 1 : crc >> 1 }
      tables[byte] = crc
    }
    for table in 1..<8 {
      for byte in 0..<256 {
        let previous = tables[(table - 1) * 256 + byte]
        tables[table * 256 + byte] = tables[Int(previous & 0xFF)] ^ previous >> 8
      }
    }
    return tables
  }()
}
