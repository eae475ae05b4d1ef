import RaftCore
import RaftServer

/// What a client asks about copies of all data.
public enum SnapshotRequest: Hashable, Sendable {
  /// Take one, and hold it.
  case take
  /// A piece of the one of this name.
  case read(id: UInt64, offset: UInt64)
}

/// What a request about copies leads to.
public enum SnapshotReply: Hashable, Sendable {
  /// One was taken.
  case taken(HeldSnapshot)
  /// Bytes from an offset on; none behind the end.
  case piece(id: UInt64, offset: UInt64, Bytes)
  /// There is no copy of this name, or not any more.
  case unknown
}

extension SnapshotRequest {
  private static let id = Bytes(#""id""#.utf8)
  private static let offset = Bytes(#""offset""#.utf8)

  /// Reads the fields of a request.
  init(_ document: JSONDocument, type: Bytes) throws(RequestRefusal) {
    let (id, offset) = (document.value(of: Self.id), document.value(of: Self.offset))
    if id == nil, offset == nil {
      self = .take
      return
    }
    guard let id, document.kind(of: id) == .string, let text = document.decodedString(at: id),
      !text.isEmpty, text.count <= 16, let number = UInt64(String(decoding: text, as: UTF8.self), radix: 16)
    else {
      throw RequestRefusal(
        .badSnapshot, "an 'id' is what the node has named a snapshot, up to 16 digits in hexadecimal",
        type: type)
    }
    guard let offset, let start = UInt64(String(decoding: document.text[offset], as: UTF8.self)),
      start < 1 << 53
    else {
      throw RequestRefusal(
        .badSnapshot, "an 'offset' is a whole number from 0 to 9007199254740991", type: type)
    }
    self = .read(id: number, offset: start)
  }

  /// Does what is asked; to be called on the replica's loop, which calls back. A copy holds everything that was committed
  /// when it was asked for.
  func carryOut<Machine: StateMachine>(
    on replica: Replica<Machine>, then handler: @escaping (Result<SnapshotReply, ReplicaError>) -> Void
  ) where Machine.Query == KeyValueQuery {
    switch self {
    case .take:
      replica.read(.clock, .linearizable, within: nil) { result in
        if case .failure(let error) = result { return handler(.failure(error)) }
        replica.holdSnapshot { handler($0.map { .taken($0) }) }
      }
    case .read(let id, let offset):
      replica.readSnapshot(id, from: offset) { result in
        handler(result.map { $0.map { .piece(id: id, offset: offset, $0) } ?? .unknown })
      }
    }
  }
}

extension JSONWriter {
  /// Writes what a request about copies has led to, if it is no error.
  mutating func write(_ reply: SnapshotReply) {
    switch reply {
    case .taken(let copy):
      write(raw: #"{"type":"snapshot","data":{"id":"#)
      write(String(copy.id, radix: 16))
      write(raw: #","bytes":"#)
      write(copy.bytes)
      write(raw: #","index":"#)
      write(copy.last.index.rawValue)
      write(raw: #","term":"#)
      write(copy.last.term.rawValue)
      write(raw: #","cluster":"#)
      write(copy.cluster.description)
      write(raw: "}}")
    case .piece(let id, let offset, let bytes):
      write(raw: #"{"type":"snapshot","data":{"id":"#)
      write(String(id, radix: 16))
      write(raw: #","offset":"#)
      write(offset)
      write(raw: #","bytes":"#)
      write(UInt64(bytes.count))
      write(raw: #","piece":""#)
      write(raw: bytes.base64)
      write(raw: "\"}}")
    case .unknown:
      writeError(
        type: Bytes(#""snapshot""#.utf8), code: "no_snapshot",
        message: "the node holds no snapshot of this id, or not any more; take another one",
        mayBeExecuted: false)
    }
  }
}

extension Bytes {
  private static let base64Digits = Bytes(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The bytes in base 64, padded.
  var base64: Bytes {
    let digits = Self.base64Digits
    var text: Bytes = []
    text.reserveCapacity((count + 2) / 3 * 4)
    for start in stride(from: 0, to: count, by: 3) {
      let left = count - start
      let group =
        UInt32(self[start]) << 16 | (left > 1 ? UInt32(self[start + 1]) << 8 : 0)
        | (left > 2 ? UInt32(self[start + 2]) : 0)
      text.append(digits[Int(group >> 18)])
      text.append(digits[Int(group >> 12 & 63)])
      text.append(left > 1 ? digits[Int(group >> 6 & 63)] : UInt8(ascii: "="))
      text.append(left > 2 ? digits[Int(group & 63)] : UInt8(ascii: "="))
    }
    return text
  }
}
