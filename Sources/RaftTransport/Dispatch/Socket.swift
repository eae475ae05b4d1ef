import Glibc
import RaftCore

/// The system calls on one TCP socket, by their file descriptor. Nothing here blocks.
enum Socket {
  /// How a call that may have to wait ended.
  enum Outcome {
    /// So many bytes were moved.
    case moved(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The other side sends nothing more.
    case ended
    /// The connection is broken.
    case failed(Int32)
  }

  /// Makes a socket of `family` that never blocks and is not inherited by child processes; -1 if the system
  /// refuses.
  static func make(family: Int32) -> Int32 {
    socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
  }

  static func set(_ option: Int32, of level: Int32, to value: Int, on descriptor: Int32) {
    var value = Int32(truncatingIfNeeded: value)
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Small answers leave at once, and a connection whose other end has vanished is found out.
  static func prepare(_ descriptor: Int32, keepAliveSeconds: Int) {
    let tcp = Int32(IPPROTO_TCP)
    set(TCP_NODELAY, of: tcp, to: 1, on: descriptor)
    set(SO_KEEPALIVE, of: SOL_SOCKET, to: 1, on: descriptor)
    set(TCP_KEEPIDLE, of: tcp, to: keepAliveSeconds, on: descriptor)
    set(TCP_KEEPINTVL, of: tcp, to: max(1, keepAliveSeconds / 3), on: descriptor)
    set(TCP_KEEPCNT, of: tcp, to: 3, on: descriptor)
  }

  /// Gives up the connection when sent bytes stay unacknowledged for so long.
  static func limitUnacknowledged(_ descriptor: Int32, milliseconds: UInt64) {
    set(TCP_USER_TIMEOUT, of: Int32(IPPROTO_TCP), to: Int(clamping: milliseconds), on: descriptor)
  }

  /// The error that a socket has run into, 0 if none. Reading it clears it.
  static func pendingError(_ descriptor: Int32) -> Int32 {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    let status = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length)
    return status == 0 ? value : errno
  }

  /// Sends as much of `bytes[start...]` as the system takes, in one call.
  static func send(_ bytes: Bytes, from start: Int, on descriptor: Int32) -> Outcome {
    bytes.withUnsafeBytes { buffer in
      let rest = UnsafeRawBufferPointer(rebasing: buffer[start...])
      while true {
        let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .moved(count) }
        switch errno {
        case EINTR: continue
        case EAGAIN, EWOULDBLOCK: return .wouldBlock
        default: return .failed(errno)
        }
      }
    }
  }

  /// Receives what is there, as much as `buffer` holds, in one call.
  static func receive(into buffer: UnsafeMutableRawBufferPointer, on descriptor: Int32) -> Outcome {
    while true {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count > 0 { return .moved(count) }
      if count == 0 { return .ended }
      switch errno {
      case EINTR: continue
      case EAGAIN, EWOULDBLOCK: return .wouldBlock
      default: return .failed(errno)
      }
    }
  }

  /// Whether a socket is connected to itself. Dialing a port of the ephemeral range on which nobody listens
  /// can end so (TCP simultaneous open); it would answer its own hello, and keep the port from the node
  /// that belongs there.
  static func isConnectedToItself(_ descriptor: Int32) -> Bool {
    let local = SocketAddress.filled { getsockname(descriptor, $0, $1) }
    let remote = SocketAddress.filled { getpeername(descriptor, $0, $1) }
    return local.result == 0 && remote.result == 0 && local.address.description == remote.address.description
  }
}
