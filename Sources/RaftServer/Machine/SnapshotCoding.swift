import RaftCore
import RaftStore

/// Takes a state machine's state, value by value, in the encoding that ``SnapshotReader`` reads.
public struct SnapshotWriter: Sendable {
  /// How much is gathered before it goes where it is written to, in bytes.
  private static let pieceBytes = 1 << 20

  private(set) var writer = ByteWriter()
  private let outlet: SnapshotOutlet?
  private var bytesGone = 0

  /// Writes to `outlet`; keeps everything in memory if that is nil.
  init(to outlet: SnapshotOutlet? = nil) { self.outlet = outlet }

  /// How many bytes have been written.
  public var count: Int { bytesGone + writer.count }

  /// Appends a value.
  public mutating func write<Value: ByteCodable>(_ value: Value) {
    value.encode(into: &writer)
    if outlet != nil, writer.count >= Self.pieceBytes { finish() }
  }

  /// Appends the number of elements and then each of them.
  public mutating func write<Element: ByteCodable>(contentsOf elements: some Collection<Element>) {
    write(UInt64(elements.count))
    for element in elements { write(element) }
  }

  mutating func write(raw byte: UInt8) { writer.write(byte) }

  /// Sends what has been gathered where it is written to.
  mutating func finish() {
    guard let outlet else { return }
    outlet.add(writer.bytes)
    bytesGone += writer.count
    writer.bytes.removeAll(keepingCapacity: true)
  }
}

/// Where a snapshot is written to. State machines do not hear of failures; they are kept.
///
/// `@unchecked Sendable` because one thread uses it.
final class SnapshotOutlet: @unchecked Sendable {
  private let draft: SnapshotDraft
  private(set) var failure: StoreError?

  init(_ draft: SnapshotDraft) { self.draft = draft }

  func add(_ bytes: Bytes) {
    guard failure == nil else { return }
    do throws(StoreError) { try draft.add(bytes) } catch { failure = error }
  }
}

/// Gives back what a ``SnapshotWriter`` took, in the same order.
public struct SnapshotReader: Sendable {
  private var reader: ByteReader
  private let source: SnapshotSource?

  /// Reads what is in memory.
  init(_ bytes: Bytes) {
    reader = ByteReader(bytes)
    source = nil
  }

  /// Reads what `source` gives, piece by piece.
  init(_ source: SnapshotSource) {
    reader = ByteReader([])
    self.source = source
  }

  /// Reads a value.
  ///
  /// - Throws: `MalformedBytes` if there is no such value.
  public mutating func read<Value: ByteCodable>(_ type: Value.Type = Value.self) throws(MalformedBytes)
    -> Value
  {
    try read { reader throws(MalformedBytes) in try Value(from: &reader) }
  }

  mutating func readByte() throws(MalformedBytes) -> UInt8 {
    try read { reader throws(MalformedBytes) in try reader.readUInt8() }
  }

  private mutating func read<Value>(
    _ body: (inout ByteReader) throws(MalformedBytes) -> Value
  ) throws(MalformedBytes) -> Value {
    while true {
      var attempt = reader
      do throws(MalformedBytes) {
        let value = try body(&attempt)
        reader = attempt
        return value
      } catch {
        // It may go on in the next piece.
        guard let piece = source?.next() else { throw error }
        let rest = try reader.readRaw(reader.remaining)
        reader = ByteReader(rest.isEmpty ? piece : rest + piece)
      }
    }
  }

  /// Reads elements that were written with their number.
  ///
  /// - Throws: `MalformedBytes` if they are not there.
  public mutating func readArray<Element: ByteCodable>(
    of type: Element.Type = Element.self
  ) throws(MalformedBytes) -> [Element] {
    let count = try read(UInt64.self)
    // Nothing is allocated for a number that the bytes cannot hold.
    var elements: [Element] = []
    elements.reserveCapacity(Int(min(count, UInt64(reader.remaining))))
    for _ in 0..<count { elements.append(try read(Element.self)) }
    return elements
  }

  mutating func expectEnd() throws(MalformedBytes) {
    try reader.expectEnd()
    if let more = source?.next() { throw MalformedBytes("\(more.count) bytes too many", offset: 0) }
  }
}

/// Gives the pieces of a snapshot. A failure to read them is kept.
///
/// `@unchecked Sendable` because one thread uses it.
final class SnapshotSource: @unchecked Sendable {
  private static let pieceBytes: UInt64 = 1 << 20

  private let read: (UInt64, Int) throws(StoreError) -> Bytes?
  private let bytes: UInt64
  private var offset: UInt64 = 0
  private(set) var failure: StoreError?

  /// Reads `snapshot`; `read` gives the bytes from an offset on, so many.
  convenience init(_ snapshot: Snapshot, read: @escaping (UInt64, Int) throws(StoreError) -> Bytes?) {
    self.init(bytes: snapshot.bytes, read: read)
  }

  /// Reads so many bytes.
  init(bytes: UInt64, read: @escaping (UInt64, Int) throws(StoreError) -> Bytes?) {
    self.bytes = bytes
    self.read = read
  }

  /// The next piece; nil at the end, or after a failure.
  func next() -> Bytes? {
    guard failure == nil, offset < bytes else { return nil }
    do throws(StoreError) {
      let count = Int(min(Self.pieceBytes, bytes - offset))
      guard let piece = try read(offset, count) else {
        throw .corrupt("the snapshot ends at byte \(offset) of \(bytes)")
      }
      offset += UInt64(count)
      return piece
    } catch {
      failure = error
      return nil
    }
  }
}
