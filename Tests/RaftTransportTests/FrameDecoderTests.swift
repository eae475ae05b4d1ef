import RaftCore
import RaftTransport
import Testing

@Suite("Frames: bytes in, frames out")
struct FrameDecoderTests {
  private static func frame(
    kind: UInt8 = 40, body: Bytes, class trafficClass: TrafficClass = .bulk, target: NodeID? = NodeID(1)
  ) -> Bytes {
    var writer = ByteWriter()
    let header = FrameHeader(
      kind: FrameKind(rawValue: kind), trafficClass: trafficClass, target: target, sender: NodeID(2), boot: 77
    )
    writer.writeFrame(header) { $0.writeRaw(body) }
    return writer.bytes
  }

  /// The frame with one byte changed and the checksum made right again.
  private static func resealed(_ frame: Bytes, at offset: Int, _ byte: UInt8) -> Bytes {
    var writer = ByteWriter()
    writer.writeRaw(frame)
    writer.bytes[offset] = byte
    let rest = Checksum.crc32c(writer.bytes, in: 16..<frame.count)
    writer.overwrite(Checksum.crc32c(writer.bytes, in: 0..<12, seed: rest), at: 12)
    return writer.bytes
  }

  @Test("the header stands on the wire as the format says")
  func layout() {
    let bytes = Self.frame(body: [0xAA, 0xBB])
    #expect(bytes.count == 50)
    #expect(Bytes(bytes[0..<12]) == [0xF2, 0x52, 0x46, 0x54, 1, 40, 2, 0, 2, 0, 0, 0])
    #expect(Bytes(bytes[16..<24]) == Bytes(repeating: 0, count: 8))
    #expect(Bytes(bytes[24..<32]) == [1, 0, 0, 0, 0, 0, 0, 0])
    #expect(Bytes(bytes[32..<40]) == [2, 0, 0, 0, 0, 0, 0, 0])
    #expect(Bytes(bytes[40..<48]) == [77, 0, 0, 0, 0, 0, 0, 0])
    #expect(Bytes(bytes[48...]) == [0xAA, 0xBB])
  }

  @Test("a frame is appended behind what the writer holds already")
  func framesInARow() throws {
    var writer = ByteWriter()
    let header = FrameHeader(
      kind: .message, trafficClass: .consensus, target: nil, sender: NodeID(2), boot: 1)
    for length in 0..<5 { writer.writeFrame(header) { $0.writeRaw(Bytes(repeating: 9, count: length)) } }
    var decoder = FrameDecoder(frameBytesMax: 64)
    decoder.append(writer.bytes)
    for length in 0..<5 {
      let frame = try #require(try decoder.next())
      #expect(frame.body.count == length)
      #expect(frame.header.bodyBytes == UInt32(length))
      #expect(frame.header.target == nil)
    }
    #expect(try decoder.next() == nil)
    #expect(decoder.bufferedBytes == 0)
  }

  @Test("frames come out the same however the stream is cut")
  func chunks() throws {
    var random = TestRandom(seed: 11)
    for _ in 0..<50 {
      let bodies = (0..<20).map { _ in random.bytes(Int.random(in: 0...400, using: &random)) }
      let stream = bodies.flatMap { Self.frame(body: $0) }
      var decoder = FrameDecoder(frameBytesMax: 448)
      var decoded: [Bytes] = []
      var offset = 0
      while offset < stream.count {
        let end = min(stream.count, offset + Int.random(in: 1...900, using: &random))
        decoder.append(Bytes(stream[offset..<end]))
        while let frame = try decoder.next() { decoded.append(frame.body) }
        #expect(decoder.bufferedBytes < 448)
        offset = end
      }
      #expect(decoded == bodies)
    }
  }

  @Test("a stream that comes byte by byte yields each frame with its last byte")
  func byteByByte() throws {
    let stream = Self.frame(body: [1, 2, 3]) + Self.frame(body: [])
    var decoder = FrameDecoder(frameBytesMax: 64)
    var ends: [Int] = []
    for (offset, byte) in stream.enumerated() {
      decoder.append([byte])
      if try decoder.next() != nil { ends.append(offset) }
    }
    #expect(ends == [50, 98])
  }

  @Test("a change of any one bit is noticed")
  func everyBitIsCovered() {
    let frame = Self.frame(body: [1, 2, 3, 4])
    for offset in 0..<frame.count {
      for bit in 0..<8 {
        var mutated = frame
        mutated[offset] ^= 1 << UInt8(bit)
        // A larger length makes the frame wait for more; everything else is an error.
        let isLonger = (8..<12).contains(offset) && mutated[offset] > frame[offset]
        var decoder = FrameDecoder(frameBytesMax: 1 << 30)
        decoder.append(mutated)
        if isLonger, let result = try? decoder.next() {
          Issue.record("bit \(bit) of byte \(offset) went unnoticed: \(result)")
        } else if !isLonger {
          #expect(throws: FrameError.self) { try decoder.next() }
        }
      }
    }
  }

  @Test("wrong magic, version, length, group and reserved bits are told apart")
  func errors() {
    let frame = Self.frame(body: [1])
    func error(of bytes: Bytes, limit: Int = 1_000) -> FrameError? {
      var decoder = FrameDecoder(frameBytesMax: limit)
      decoder.append(bytes)
      return #expect(throws: FrameError.self) { try decoder.next() }
    }
    #expect(error(of: [0xF2, 0x52, 0x00]) == .badMagic)
    #expect(error(of: Bytes("GET / HTTP/1.1".utf8)) == .badMagic)
    #expect(error(of: Self.resealed(frame, at: 4, 2)) == .unsupportedVersion(2))
    #expect(error(of: [0xF2, 0x52, 0x46, 0x54, 9]) == .unsupportedVersion(9))
    #expect(error(of: frame, limit: 48) == .tooLarge(bytes: 49, limit: 48))
    #expect(error(of: Self.resealed(frame, at: 16, 3)) == .unsupportedGroup(3))
    for (offset, byte) in [(6, UInt8(3)), (7, 1), (20, 1), (32, 0)] {
      guard case .malformedHeader = error(of: Self.resealed(frame, at: offset, byte)) else {
        Issue.record("byte \(offset) = \(byte) went unnoticed")
        continue
      }
    }
  }

  @Test("after an error every call gives the same error, and nothing is buffered")
  func errorsStay() {
    var decoder = FrameDecoder(frameBytesMax: 64)
    decoder.append([0x41])
    for _ in 0..<3 {
      #expect(throws: FrameError.badMagic) { try decoder.next() }
      decoder.append(Self.frame(body: []))
      #expect(decoder.bufferedBytes == 0)
    }
  }

  @Test("a huge announced length is refused by its header alone")
  func hugeLength() {
    var header = Bytes(Self.frame(body: [])[..<48])
    header[11] = 0xFF
    var decoder = FrameDecoder(frameBytesMax: 1 << 20)
    decoder.append(header)
    #expect(throws: FrameError.tooLarge(bytes: 48 + 0xFF00_0000, limit: 1 << 20)) { try decoder.next() }
  }
}
