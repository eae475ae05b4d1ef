import RaftCore

/// What is known of a command before it runs.
public final class CommandInfo: Sendable {
  /// The name in lower case; that of a subcommand with its parent's before it, as in `object|encoding`.
  public let name: String
  /// How many arguments it takes, with the name; the least number, negated, if it may take more.
  public let arity: Int
  /// What clients are told of it.
  public let flags: [String]
  /// Which argument is the first key; 0 if none is.
  public let firstKey: Int
  /// Which argument is the last key; counted from behind, -1 being the last argument, if it is negative.
  public let lastKey: Int
  /// How far keys are apart.
  public let step: Int
  /// Whether it may change data.
  public let isWrite: Bool
  /// Whether it is run by the layer that holds the connections.
  public let isConnection: Bool
  /// The commands that the second word chooses from.
  public let subcommands: [CommandInfo]
  /// What runs it, if it works on data.
  let body: Body?

  /// What runs a command, by the family that it belongs to.
  enum Body: Hashable, Sendable {
    case string(StringCommand)
    case key(KeyCommand)
    case expiry(ExpiryCommand)
    case bit(BitCommand)
    case hyperLogLog(HyperLogLogCommand)
    case bloomFilter(BloomFilterCommand)
  }

  init(
    _ name: String, _ arity: Int, _ flags: String, keys: (first: Int, last: Int, step: Int) = (0, 0, 0),
    isConnection: Bool = false, subcommands: [CommandInfo] = []
  ) {
    self.name = name
    self.arity = arity
    self.flags = flags.split(separator: " ").map(String.init)
    isWrite = self.flags.contains("write")
    firstKey = keys.first
    lastKey = keys.last
    step = keys.step
    self.isConnection = isConnection
    self.subcommands = subcommands
    body = isConnection ? nil : Body(name)
  }

  /// Whether it can take that many arguments, counted with the name.
  public func accepts(argumentCount: Int) -> Bool {
    arity >= 0 ? argumentCount == arity : argumentCount >= -arity
  }

  /// Which of the arguments of a call are keys.
  public func keyIndices(argumentCount: Int) -> StrideThrough<Int> {
    let last = lastKey < 0 ? argumentCount + lastKey : min(lastKey, argumentCount - 1)
    guard firstKey > 0, step > 0 else { return stride(from: 1, through: 0, by: 1) }
    return stride(from: firstKey, through: last, by: step)
  }
}

extension CommandInfo.Body {
  fileprivate init?(_ name: String) {
    if let command = StringCommand(rawValue: name) {
      self = .string(command)
    } else if let command = KeyCommand(rawValue: name) {
      self = .key(command)
    } else if let command = ExpiryCommand(rawValue: name) {
      self = .expiry(command)
    } else if let command = BitCommand(rawValue: name) {
      self = .bit(command)
    } else if let command = HyperLogLogCommand(rawValue: name) {
      self = .hyperLogLog(command)
    } else if let command = BloomFilterCommand(rawValue: name) {
      self = .bloomFilter(command)
    } else {
      return nil
    }
  }
}
