import RaftCore

/// Why a stream of bytes is no stream of frames. The connection it came from must be closed: where the next
/// frame begins cannot be known.
public enum FrameError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The stream does not begin with ``FrameHeader/magic``.
  case badMagic
  /// The frame has a version that this build does not speak.
  case unsupportedVersion(UInt8)
  /// The body is announced as larger than the limit.
  case tooLarge(bytes: Int, limit: Int)
  /// The bytes are not those that were sent.
  case checksumMismatch
  /// The frame is for another Raft group than 0.
  case unsupportedGroup(UInt32)
  /// The checksum is right and a field is not.
  case malformedHeader(String)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .badMagic: "the bytes are no raftnode frame"
    case .unsupportedVersion(let version):
      "frame version \(version) is not supported (\(WireVersion.lowest) to \(WireVersion.highest) are)"
    case .tooLarge(let bytes, let limit): "a frame of \(bytes) bytes is over the limit of \(limit)"
    case .checksumMismatch: "the checksum of a frame does not match"
    case .unsupportedGroup(let group): "Raft group \(group) does not exist here"
    case .malformedHeader(let reason): "malformed frame header: \(reason)"
    }
  }
}

/// One frame of a stream. The body is a range of the buffer it was received in: it is cheap to hand on and
/// to decode, and keeps the whole buffer alive while it is held.
public struct Frame: Hashable, Sendable {
  /// The decoded header.
  public let header: FrameHeader
  /// The buffer in which the body stands.
  public let buffer: Bytes
  /// Where in ``buffer`` the body stands.
  public let bodyRange: Range<Int>

  /// Puts a frame together from its parts.
  public init(header: FrameHeader, buffer: Bytes, bodyRange: Range<Int>) {
    self.header = header
    self.buffer = buffer
    self.bodyRange = bodyRange
  }

  /// A copy of the body.
  public var body: Bytes { Bytes(buffer[bodyRange]) }

  /// Reads the body without copying it first.
  public func bodyReader() -> ByteReader { ByteReader(buffer, in: bodyRange) }
}

/// Turns received bytes into frames. Sans-I/O: it is fed with bytes in pieces of any size.
///
/// The caller takes all frames after each ``append(_:)``. What is buffered then is less than one frame, and
/// the buffer never holds more than ``frameBytesMax`` and the piece appended last. A byte is moved at most
/// once for each byte consumed before it.
public struct FrameDecoder: Sendable {
  /// The largest frame that is taken, header included, in bytes.
  public var frameBytesMax: Int
  private var buffer: Bytes = []
  private var start = 0
  private var failure: FrameError?

  /// Starts at the first byte of a stream.
  public init(frameBytesMax: Int) {
    precondition(frameBytesMax >= FrameHeader.byteCount, "a frame has at least the bytes of its header")
    self.frameBytesMax = frameBytesMax
  }

  /// How many bytes wait for the rest of their frame.
  public var bufferedBytes: Int { buffer.count - start }

  /// Takes in the next bytes of the stream. After an error they are ignored.
  public mutating func append(_ bytes: Bytes) {
    guard failure == nil else { return }
    if start == buffer.count {
      // The piece becomes the buffer: a frame that arrives in one piece is not copied at all.
      buffer = bytes
      start = 0
      return
    }
    if start >= bufferedBytes || buffer.count + bytes.count > frameBytesMax {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// Takes the next frame out, or returns nil until its last byte has arrived.
  ///
  /// - Throws: ``FrameError``; the same one at every further call.
  public mutating func next() throws(FrameError) -> Frame? {
    if let failure { throw failure }
    do {
      guard let frame = try decode() else { return nil }
      start = frame.bodyRange.upperBound
      if start == buffer.count {
        buffer = []
        start = 0
      }
      return frame
    } catch {
      failure = error
      buffer = []
      start = 0
      throw error
    }
  }

  /// Makes room for the whole frame when much of it is there: a large one is not moved again and again while it grows, and
  /// whoever announces one and sends nothing takes no room for it.
  private mutating func reserve(_ frameBytes: Int) {
    guard bufferedBytes >= frameBytes / 4, buffer.capacity < start + frameBytes else { return }
    if start > 0 { buffer.removeFirst(start) }
    start = 0
    buffer.reserveCapacity(frameBytes)
  }

  private mutating func decode() throws(FrameError) -> Frame? {
    let magic = FrameHeader.magic
    for offset in 0..<min(magic.count, bufferedBytes) where buffer[start + offset] != magic[offset] {
      throw .badMagic
    }
    // The version is judged before the checksum: another version may have another layout.
    if bufferedBytes > 4, !(WireVersion.lowest...WireVersion.highest).contains(buffer[start + 4]) {
      throw .unsupportedVersion(buffer[start + 4])
    }
    guard bufferedBytes >= FrameHeader.byteCount else { return nil }
    let bodyBytes = integer(at: FrameHeader.bodyBytesOffset, bytes: 4)
    let frameBytes = FrameHeader.byteCount + Int(bodyBytes)
    guard frameBytes <= frameBytesMax else { throw .tooLarge(bytes: frameBytes, limit: frameBytesMax) }
    guard bufferedBytes >= frameBytes else {
      reserve(frameBytes)
      return nil
    }
    let end = start + frameBytes
    let expected = UInt32(truncatingIfNeeded: integer(at: FrameHeader.checksumOffset, bytes: 4))
    guard FrameHeader.checksum(of: buffer, from: start, through: end) == expected else {
      throw .checksumMismatch
    }
    let header = try decodeHeader(bodyBytes: UInt32(truncatingIfNeeded: bodyBytes))
    return Frame(header: header, buffer: buffer, bodyRange: (start + FrameHeader.byteCount)..<end)
  }

  private func decodeHeader(bodyBytes: UInt32) throws(FrameError) -> FrameHeader {
    guard let trafficClass = TrafficClass(rawValue: buffer[start + 6]) else {
      throw .malformedHeader("traffic class \(buffer[start + 6]) does not exist")
    }
    guard buffer[start + 7] == 0 else {
      throw .malformedHeader("flags \(buffer[start + 7]) were not agreed on")
    }
    let group = UInt32(truncatingIfNeeded: integer(at: 16, bytes: 4))
    guard group == 0 else { throw .unsupportedGroup(group) }
    guard integer(at: 20, bytes: 4) == 0 else { throw .malformedHeader("the reserved bytes are not 0") }
    let target = integer(at: 24, bytes: 8)
    let sender = integer(at: 32, bytes: 8)
    guard sender != 0 else { throw .malformedHeader("it names no sender") }
    var header = FrameHeader(
      kind: FrameKind(rawValue: buffer[start + 5]), trafficClass: trafficClass,
      target: target == 0 ? nil : NodeID(target), sender: NodeID(sender), boot: integer(at: 40, bytes: 8))
    header.version = buffer[start + 4]
    header.bodyBytes = bodyBytes
    return header
  }

  private func integer(at offset: Int, bytes: Int) -> UInt64 {
    var value: UInt64 = 0
    for byte in 0..<bytes { value |= UInt64(buffer[start + offset + byte]) << UInt64(8 * byte) }
    return value
  }
}
