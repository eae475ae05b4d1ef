import RaftCore

/// What has been written and the system has not taken yet.
struct OutputBuffer {
  private var bytes: Bytes = []
  private var start = 0

  var count: Int { bytes.count - start }
  var isEmpty: Bool { count == 0 }

  /// Appends bytes; into an empty buffer without copying them.
  mutating func append(_ more: Bytes) {
    if isEmpty {
      bytes = more
      start = 0
      return
    }
    if start >= count {
      bytes.removeFirst(start)
      start = 0
    }
    bytes.append(contentsOf: more)
  }

  mutating func removeFirst(_ sent: Int) {
    start += sent
    if isEmpty { self = OutputBuffer() }
  }

  /// Hands the system as much as it takes in one call.
  func send(on descriptor: Int32) -> Socket.Outcome { Socket.send(bytes, from: start, on: descriptor) }
}
