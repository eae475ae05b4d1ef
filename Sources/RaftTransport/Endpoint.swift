import Glibc

/// Where a node listens, or is dialed: a host and a TCP port.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// A host name, an IPv4 address, or an IPv6 address without brackets.
  public let host: String
  /// The TCP port, 1 to 65,535.
  public let port: UInt16

  /// Joins a host and a port.
  ///
  /// - Throws: ``EndpointError`` if the host is none, or the port is 0.
  public init(host: String, port: UInt16) throws(EndpointError) {
    guard port > 0 else { throw .badPort("\(port)") }
    guard Self.isHost(host) else { throw .badHost(host) }
    self.host = host
    self.port = port
  }

  /// Reads `host:port` or `[IPv6 address]:port`.
  ///
  /// - Throws: ``EndpointError``, whose description says what is wrong and what is allowed.
  public init(_ text: String) throws(EndpointError) {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { throw .noPort(text) }
    var host = text[..<colon]
    let digits = text[text.index(after: colon)...]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
      guard host.contains(":") else { throw .badHost(String(host)) }
    } else if host.contains(":") {
      throw .noBrackets(text)
    }
    let isNumber = !digits.isEmpty && digits.first != "0" && digits.utf8.allSatisfy { (48...57).contains($0) }
    guard isNumber, let port = UInt16(digits) else { throw .badPort(String(digits)) }
    try self.init(host: String(host), port: port)
  }

  /// `host:port`, with brackets around an IPv6 address; reading it gives an equal endpoint.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  private static func isHost(_ host: String) -> Bool {
    if host.contains(":") {
      var address = in6_addr()
      return inet_pton(AF_INET6, host, &address) == 1
    }
    if host.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (48...57).contains($0) }) {
      var address = in_addr()
      return inet_pton(AF_INET, host, &address) == 1
    }
    guard host.utf8.count <= hostBytesMax else { return false }
    return host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy(isLabel)
  }

  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    guard (1...63).contains(label.count) else { return false }
    guard label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else { return false }
    return label.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
      default: false
      }
    }
  }

  /// The longest host name, in bytes (RFC 1035).
  static let hostBytesMax = 253
  /// The longest description, in bytes: host, colon and five digits.
  static let descriptionBytesMax = hostBytesMax + 6
}

/// Why a text names no endpoint.
public enum EndpointError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is no colon, and so no port.
  case noPort(String)
  /// An IPv6 address without brackets: where it ends and the port begins cannot be told.
  case noBrackets(String)
  /// The host is no name and no address.
  case badHost(String)
  /// The port is no number from 1 to 65,535.
  case badPort(String)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .noPort(let text): "'\(text)' names no port; \(Self.allowed)"
    case .noBrackets(let text): "'\(text)' has more than one colon and no brackets; \(Self.allowed)"
    case .badHost(let host): "'\(host)' is no host; \(Self.allowed)"
    case .badPort(let port): "'\(port)' is no port; \(Self.allowed)"
    }
  }

  private static let allowed =
    "write HOST:PORT; HOST is a name, an IPv4 address or an IPv6 address in brackets, PORT is 1 to 65535"
}
