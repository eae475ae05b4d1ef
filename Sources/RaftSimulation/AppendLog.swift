import RaftCore
import RaftServer

/// The state machine that simulations replicate: a list of numbers, each appended once. Its history is easily judged: the
/// position of a number in the list *is* its place in the one order that all clients must have seen.
public struct AppendLog: StateMachine {
  /// Appends a number.
  public struct Append: ByteCodable, Hashable {
    /// Unique in the simulation.
    public var number: UInt64

    /// Asks for `number` to be appended.
    public init(_ number: UInt64) { self.number = number }

    /// Appends the value.
    public func encode(into writer: inout ByteWriter) { writer.write(number) }

    /// Reads the value back.
    public init(from reader: inout ByteReader) throws(MalformedBytes) { number = try reader.readUInt64() }
  }

  /// Everything appended so far, in order.
  public private(set) var numbers: [UInt64] = []
  private var lastTime: UInt64 = 0
  /// Whether time in the log has ever gone back.
  public private(set) var didTimeGoBack = false

  /// Starts empty.
  public init() {}

  /// Appends and returns the new length.
  public mutating func apply(_ command: Append, at context: ApplyContext) -> UInt64 {
    numbers.append(command.number)
    didTimeGoBack = didTimeGoBack || context.time < lastTime
    lastTime = context.time
    return UInt64(numbers.count)
  }

  /// The length of the list.
  public func read(_ query: Void) -> UInt64 { UInt64(numbers.count) }
}
