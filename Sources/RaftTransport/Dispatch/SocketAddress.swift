import Glibc

/// An IPv4 or IPv6 address and a port, as the system calls take them.
struct SocketAddress: CustomStringConvertible, Sendable {
  private var storage = sockaddr_storage()
  private(set) var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  private init() {}

  var family: Int32 { Int32(storage.ss_family) }

  /// Calls `body` with what `bind` and `connect` take.
  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  /// Calls `body` with what `accept`, `getsockname` and `getpeername` fill in.
  static func filled(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> (
    result: Int32, address: SocketAddress
  ) {
    var address = SocketAddress()
    var length = address.length
    let result = withUnsafeMutablePointer(to: &address.storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
    }
    address.length = length
    return (result, address)
  }

  /// `host:port`, with brackets around an IPv6 address.
  var description: String {
    withUnsafeBytes(of: storage) { bytes in
      let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
      let isVersion6 = family == AF_INET6
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      let address = UnsafeRawBufferPointer(rebasing: bytes[(isVersion6 ? 8 : 4)...])
      guard inet_ntop(family, address.baseAddress, &text, socklen_t(text.count)) != nil else {
        return "unknown"
      }
      let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return isVersion6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }

  /// The addresses of an endpoint, at least one. Asks the resolver, which may block for seconds, unless
  /// `isNumericOnly`.
  static func resolve(
    _ endpoint: Endpoint, isNumericOnly: Bool = false
  ) throws(TransportError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | (isNumericOnly ? AI_NUMERICHOST : 0)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list)
    guard status == 0 else {
      throw .cannotResolve(host: endpoint.host, reason: String(cString: gai_strerror(status)))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let info = next?.pointee {
      next = info.ai_next
      guard let source = info.ai_addr, Int(info.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size else {
        continue
      }
      guard info.ai_family == AF_INET || info.ai_family == AF_INET6 else { continue }
      var address = SocketAddress()
      address.length = info.ai_addrlen
      withUnsafeMutableBytes(of: &address.storage) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: Int(info.ai_addrlen)))
      }
      addresses.append(address)
    }
    guard !addresses.isEmpty else { throw .cannotResolve(host: endpoint.host, reason: "it has no address") }
    return addresses
  }
}
