import RaftCore

/// Tells peers from clients on the port that they share, by the first byte after white space.
public struct ConnectionSniffer: Sendable {
  /// Who is at the other end of a connection.
  public enum Verdict: Hashable, Sendable {
    /// Nothing but white space has arrived.
    case undecided
    /// Another node; these are its first bytes.
    case peer(Bytes)
    /// A client; these are its first bytes, without white space before them.
    case client(Bytes)
    /// Somebody who wants to speak TLS.
    case tls
    /// Nobody who belongs here: no protocol of this port begins with this byte.
    case unknown(UInt8)
  }

  /// Starts before the first byte.
  public init() {}

  /// Judges the next bytes. White space is forgotten, so that nothing is buffered before a verdict.
  public func judge(_ bytes: Bytes) -> Verdict {
    guard let first = bytes.firstIndex(where: { !Self.isWhiteSpace($0) }) else { return .undecided }
    let rest = first == 0 ? bytes : Bytes(bytes[first...])
    switch bytes[first] {
    case FrameHeader.magic[0]: return .peer(rest)
    case 0x16: return .tls
    case 0x80...: return .unknown(bytes[first])
    default: return .client(rest)
    }
  }

  private static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
  }
}
