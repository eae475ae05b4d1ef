/// CRC-32C (Castagnoli), by which every frame and every stored record is checked. It finds every error burst of up to
/// 32 bits; it is no protection against somebody who means to deceive.
public enum Checksum {
  /// The checksum of `bytes[range]`, continuing from `seed` (the checksum of what comes before it).
  ///
  /// Sixteen bytes at a time: their effects are looked up independently of one another, and combined.
  public static func crc32c(_ bytes: Bytes, in range: Range<Int>, seed: UInt32 = 0) -> UInt32 {
    let content = bytes.span.extracting(range)
    var crc = ~seed
    var offset = 0
    while offset + 16 <= content.count {
      let block = content.extracting(offset..<offset + 16)
      crc =
        effect(of: word(at: 0, of: block) ^ UInt64(crc), before: 8)
        ^ effect(of: word(at: 8, of: block), before: 0)
      offset += 16
    }
    while offset < content.count {
      crc = tables[Int((crc ^ UInt32(content[offset])) & 0xFF)] ^ crc >> 8
      offset += 1
    }
    return ~crc
  }

  @inline(__always)
  private static func word(at offset: Int, of block: Span<UInt8>) -> UInt64 {
    var word: UInt64 = 0
    for byte in 0..<8 { word |= UInt64(block[offset + byte]) << UInt64(8 * byte) }
    return word
  }

  /// The effect of eight bytes that `rest` others follow.
  @inline(__always)
  private static func effect(of word: UInt64, before rest: Int) -> UInt32 {
    @inline(__always) func look(_ byte: Int) -> UInt32 {
      tables[(rest + 7 - byte) * 256 + Int(truncatingIfNeeded: word >> UInt64(8 * byte) & 0xFF)]
    }
    let low = look(0) ^ look(1) ^ look(2) ^ look(3)
    return low ^ look(4) ^ look(5) ^ look(6) ^ look(7)
  }

  /// The checksum of all of `bytes`.
  public static func crc32c(_ bytes: Bytes) -> UInt32 { crc32c(bytes, in: 0..<bytes.count) }

  /// Sixteen tables of 256: the n-th holds the effect of a byte that is followed by n zero bytes.
  private static let tables: InlineArray<4096, UInt32> = {
    var tables = InlineArray<4096, UInt32>(repeating: 0)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? 0x82F6_3B78 ^ crc >> 1 : crc >> 1 }
      tables[byte] = crc
    }
    for table in 1..<16 {
      for byte in 0..<256 {
        let previous = tables[(table - 1) * 256 + byte]
        tables[table * 256 + byte] = tables[Int(previous & 0xFF)] ^ previous >> 8
      }
    }
    return tables
  }()
}
