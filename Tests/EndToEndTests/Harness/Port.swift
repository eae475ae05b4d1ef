import Glibc

/// A port of 127.0.0.1 that nobody else is given while this lives.
///
/// It is held by a socket that is bound and never listens. With `SO_REUSEADDR` a node can listen at the port all the
/// same, also again after a restart, while the system gives it neither to another test that asks for any free port nor
/// to an outgoing connection. Merely looking for a free port leaves a gap in which somebody else finds it too.
final class Port: Sendable {
  let number: UInt16
  private let descriptor: Int32

  /// `127.0.0.1:` and the number.
  var address: String { "127.0.0.1:\(number)" }

  init() throws(SocketFailure) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketFailure("socket") }
    var isOn: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in(localPort: 0)
    guard address.withPointer({ bind(descriptor, $0, $1) }) == 0 else {
      let failure = SocketFailure("bind")
      close(descriptor)
      throw failure
    }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    self.descriptor = descriptor
    number = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(descriptor) }
}

extension sockaddr_in {
  /// The address of a port of 127.0.0.1.
  init(localPort: UInt16) {
    self.init()
    sin_family = sa_family_t(AF_INET)
    sin_port = localPort.bigEndian
    sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  }

  mutating func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: &self) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
