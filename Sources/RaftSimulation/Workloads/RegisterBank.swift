import RaftCore
import RaftServer

/// The state machine that simulations replicate unless they are given another one: numbered registers, which are written,
/// compared and set, added to, and read.
public struct RegisterBank: StateMachine {
  /// What changes a register.
  public enum Command: ByteCodable, Hashable {
    /// Sets it.
    case write(key: UInt8, value: UInt64)
    /// Sets it if it is `expected`.
    case compareAndSet(key: UInt8, expected: UInt64, value: UInt64)
    /// Adds to it.
    case add(key: UInt8, amount: UInt64)

    /// Appends the value.
    public func encode(into writer: inout ByteWriter) {
      switch self {
      case .write(let key, let value):
        writer.write(1 as UInt8)
        writer.write(key)
        writer.write(value)
      case .compareAndSet(let key, let expected, let value):
        writer.write(2 as UInt8)
        writer.write(key)
        writer.write(expected)
        writer.write(value)
      case .add(let key, let amount):
        writer.write(3 as UInt8)
        writer.write(key)
        writer.write(amount)
      }
    }

    /// Reads the value back.
    public init(from reader: inout ByteReader) throws(MalformedBytes) {
      let kind = try reader.readUInt8()
      let key = try reader.readUInt8()
      switch kind {
      case 1: self = .write(key: key, value: try reader.readUInt64())
      case 2:
        self = .compareAndSet(key: key, expected: try reader.readUInt64(), value: try reader.readUInt64())
      case 3: self = .add(key: key, amount: try reader.readUInt64())
      default: throw MalformedBytes("a register command is 1, 2 or 3", offset: 0)
      }
    }
  }

  /// Asks for a register.
  public struct Query: Hashable, Sendable {
    /// Which one.
    public var key: UInt8

    /// Asks for register `key`.
    public init(key: UInt8) { self.key = key }
  }

  /// How many registers there are.
  public static let count = 16

  private var registers = [UInt64](repeating: 0, count: RegisterBank.count)
  private var lastTime: UInt64 = 0
  /// Whether time in the log has ever gone back.
  public private(set) var didTimeGoBack = false

  /// All registers are 0.
  public init() {}

  /// Changes a register, and answers with what it holds now; a `compareAndSet` answers 1 if it was done, and 0 if not.
  public mutating func apply(_ command: Command, at context: ApplyContext) -> UInt64 {
    didTimeGoBack = didTimeGoBack || context.time < lastTime
    lastTime = context.time
    switch command {
    case .write(let key, let value):
      registers[Int(key)] = value
      return value
    case .compareAndSet(let key, let expected, let value):
      guard registers[Int(key)] == expected else { return 0 }
      registers[Int(key)] = value
      return 1
    case .add(let key, let amount):
      registers[Int(key)] &+= amount
      return registers[Int(key)]
    }
  }

  /// What a register holds.
  public func read(_ query: Query) -> UInt64 { registers[Int(query.key)] }

  /// Writes all registers.
  public func snapshot(into writer: inout SnapshotWriter) {
    writer.write(lastTime)
    writer.write(didTimeGoBack)
    for register in registers { writer.write(register) }
  }

  /// Takes the registers of a snapshot.
  ///
  /// - Throws: `MalformedBytes` if they cannot be read.
  public mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    lastTime = try reader.read()
    didTimeGoBack = try reader.read()
    for register in registers.indices { registers[register] = try reader.read() }
  }
}
