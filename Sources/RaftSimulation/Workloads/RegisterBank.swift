import RaftCore
import RaftServer
import RaftStore

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

  /// The registers, and behind them the last time and whether time has ever gone back.
  private var numbers = [UInt64](repeating: 0, count: RegisterBank.count + 2)
  private var state: MachineState?
  private var view: MachineStateView?

  /// All registers are 0.
  public init() {}

  private subscript(number: Int) -> UInt64 {
    get {
      guard state != nil || view != nil else { return numbers[number] }
      let bytes = state?.get([UInt8(number)]) ?? view?.get([UInt8(number)])
      return bytes.flatMap { try? UInt64(decoding: $0) } ?? 0
    }
    set {
      if let state { state.put(newValue.encoded(), for: [UInt8(number)]) } else { numbers[number] = newValue }
    }
  }

  private var lastTime: UInt64 {
    get { self[Self.count] }
    set { self[Self.count] = newValue }
  }

  /// Whether time in the log has ever gone back.
  public private(set) var didTimeGoBack: Bool {
    get { self[Self.count + 1] == 1 }
    set { self[Self.count + 1] = newValue ? 1 : 0 }
  }

  /// Changes a register, and answers with what it holds now; a `compareAndSet` answers 1 if it was done, and 0 if not.
  public mutating func apply(_ command: Command, at context: ApplyContext) -> UInt64 {
    if context.time < lastTime { didTimeGoBack = true }
    lastTime = context.time
    switch command {
    case .write(let key, let value):
      self[Int(key)] = value
      return value
    case .compareAndSet(let key, let expected, let value):
      guard self[Int(key)] == expected else { return 0 }
      self[Int(key)] = value
      return 1
    case .add(let key, let amount):
      self[Int(key)] &+= amount
      return self[Int(key)]
    }
  }

  /// What a register holds.
  public func read(_ query: Query) -> UInt64 { self[Int(query.key)] }

  /// Writes all registers.
  public func snapshot(into writer: inout SnapshotWriter) {
    for number in numbers.indices { writer.write(self[number]) }
  }

  /// Takes the registers of a snapshot.
  ///
  /// - Throws: `MalformedBytes` if they cannot be read.
  public mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    for number in numbers.indices { self[number] = try reader.read() }
  }
}

extension RegisterBank: StoredStateMachine {
  /// Keeps the registers in `state` from now on.
  public mutating func keep(in state: MachineState) { self.state = state }

  /// The registers as `view` shows them.
  public func frozen(in view: MachineStateView) -> RegisterBank {
    var bank = RegisterBank()
    bank.view = view
    return bank
  }
}
