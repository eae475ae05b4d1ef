import RaftChecksum
import RaftCore
import Testing

@Suite("The processor's checksum is the core's")
struct FastChecksumTests {
  @Test("for ranges of every length and place, and in parts")
  func equal() {
    var random = RandomSource(seed: 7)
    let bytes = Bytes((0..<600).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    for length in 0...120 {
      for start in 0..<9 {
        let range = start..<start + length
        let seed = UInt32(truncatingIfNeeded: random.next())
        #expect(
          FastChecksum.crc32c(bytes, in: range, seed: seed) == Checksum.crc32c(bytes, in: range, seed: seed))
      }
    }
    let first = FastChecksum.crc32c(bytes, in: 0..<77)
    #expect(FastChecksum.crc32c(bytes, in: 77..<600, seed: first) == Checksum.crc32c(bytes))
    #expect(FastChecksum.crc32c(Array("123456789".utf8)) == 0xE306_9283)
  }
}
