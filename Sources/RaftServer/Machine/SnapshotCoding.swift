import RaftCore

/// Takes a state machine's state, value by value, in the encoding that ``SnapshotReader`` reads.
public struct SnapshotWriter: Sendable {
  private(set) var writer: ByteWriter

  init(_ writer: ByteWriter = ByteWriter()) { self.writer = writer }

  /// How many bytes have been written.
  public var count: Int { writer.count }

  /// Appends a value.
  public mutating func write<Value: ByteCodable>(_ value: Value) { value.encode(into: &writer) }

  /// Appends the number of elements and then each of them.
  public mutating func write<Element: ByteCodable>(contentsOf elements: some Collection<Element>) {
    writer.write(UInt64(elements.count))
    for element in elements { element.encode(into: &writer) }
  }
}

/// Gives back what a ``SnapshotWriter`` took, in the same order.
public struct SnapshotReader: Sendable {
  private var reader: ByteReader

  init(_ reader: ByteReader) { self.reader = reader }

  /// Reads a value.
  ///
  /// - Throws: `MalformedBytes` if there is no such value.
  public mutating func read<Value: ByteCodable>(_ type: Value.Type = Value.self) throws(MalformedBytes)
    -> Value
  {
    try Value(from: &reader)
  }

  /// Reads elements that were written with their number.
  ///
  /// - Throws: `MalformedBytes` if they are not there.
  public mutating func readArray<Element: ByteCodable>(
    of type: Element.Type = Element.self
  ) throws(MalformedBytes) -> [Element] {
    let count = try reader.readUInt64()
    // Nothing is allocated for a number that the bytes cannot hold.
    var elements: [Element] = []
    elements.reserveCapacity(Int(min(count, UInt64(reader.remaining))))
    for _ in 0..<count { elements.append(try Element(from: &reader)) }
    return elements
  }

  func expectEnd() throws(MalformedBytes) { try reader.expectEnd() }
}
