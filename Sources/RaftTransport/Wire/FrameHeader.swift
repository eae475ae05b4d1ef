import RaftChecksum
import RaftCore

/// What the body of a frame is. 1 to 15 belong to this module; 16 to 255 to the layers above it, which
/// define their own.
public struct FrameKind: RawRepresentable, Hashable, Sendable {
  /// The byte in the header.
  public var rawValue: UInt8

  /// Wraps the byte of a header.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A ``Hello``: the first frame of the dialer.
  public static let hello = FrameKind(rawValue: 1)
  /// A ``Welcome``: the answer to a hello that is accepted.
  public static let welcome = FrameKind(rawValue: 2)
  /// A ``Refusal``: the answer to a hello that is not.
  public static let refusal = FrameKind(rawValue: 3)
  /// A message of the Raft core with its entries; see ``MessageCodec``.
  public static let message = FrameKind(rawValue: 4)
  /// The first kind that a layer above may define.
  public static let firstOfLayersAbove: UInt8 = 16
}

/// Two nodes keep one connection for each class and direction, so that a large chunk never delays a
/// heartbeat.
public enum TrafficClass: UInt8, Hashable, Sendable, CaseIterable {
  /// Everything that elections and replication wait for.
  case consensus = 1
  /// Snapshots and large values.
  case bulk = 2
}

/// The version numbers of the peer protocol that this build speaks.
public enum WireVersion {
  /// The lowest version understood.
  public static let lowest: UInt8 = 1
  /// The highest version understood. Handshake frames carry version 1 whatever is chosen afterwards.
  public static let highest: UInt8 = 1
  /// The feature bits that this build offers: none are defined in version 1.
  public static let features: UInt64 = 0
}

/// The 48 bytes that stand before the body of every frame; `Docs/wire-format.md` lists them.
public struct FrameHeader: Hashable, Sendable {
  /// The protocol version of the frame.
  public var version: UInt8 = 1
  /// What the body is.
  public var kind: FrameKind
  /// The class of the connection that the frame travels on.
  public var trafficClass: TrafficClass
  /// Reserved bits, 0 in version 1.
  public var flags: UInt8 = 0
  /// How many bytes the body has. Filled in when the frame is written.
  public var bodyBytes: UInt32 = 0
  /// The Raft group, 0: one node holds one group in version 1.
  public var group: UInt32 = 0
  /// For which node it is; nil in a hello whose dialer takes whoever answers.
  public var target: NodeID?
  /// Which node sends it.
  public var sender: NodeID
  /// The random number that the sender drew when it started.
  public var boot: UInt64

  /// Describes a frame that is to be written.
  public init(
    kind: FrameKind, trafficClass: TrafficClass, target: NodeID?, sender: NodeID, boot: UInt64
  ) {
    self.kind = kind
    self.trafficClass = trafficClass
    self.target = target
    self.sender = sender
    self.boot = boot
  }

  /// How many bytes a header takes.
  public static let byteCount = 48
  /// The first four bytes of every frame. The first is above 0x7F, so that no text begins like it.
  public static let magic: Bytes = [0xF2, 0x52, 0x46, 0x54]

  static let bodyBytesOffset = 8
  static let checksumOffset = 12
  static let firstByteAfterChecksum = 16

  /// The checksum of the frame at `start`: over everything after the checksum field, then over what stands
  /// before it.
  static func checksum(of bytes: Bytes, from start: Int, through end: Int) -> UInt32 {
    let rest = FastChecksum.crc32c(bytes, in: (start + firstByteAfterChecksum)..<end)
    return FastChecksum.crc32c(bytes, in: start..<(start + checksumOffset), seed: rest)
  }
}

extension ByteWriter {
  /// Appends a frame. `body` writes the body in place; length and checksum are filled in afterwards, so
  /// that the body is never copied.
  ///
  /// - Precondition: The body has less than 4 GiB.
  public mutating func writeFrame(_ header: FrameHeader, body: (inout ByteWriter) -> Void) {
    let start = count
    writeRaw(FrameHeader.magic)
    write(header.version)
    write(header.kind.rawValue)
    write(header.trafficClass.rawValue)
    write(header.flags)
    write(UInt32(0))
    write(UInt32(0))
    write(header.group)
    write(UInt32(0))
    write(header.target?.rawValue ?? 0)
    write(header.sender.rawValue)
    write(header.boot)
    let bodyStart = count
    body(&self)
    guard let bodyBytes = UInt32(exactly: count - bodyStart) else {
      preconditionFailure("the body of a frame has less than 4 GiB")
    }
    overwrite(bodyBytes, at: start + FrameHeader.bodyBytesOffset)
    let checksum = FrameHeader.checksum(of: bytes, from: start, through: count)
    overwrite(checksum, at: start + FrameHeader.checksumOffset)
  }
}
