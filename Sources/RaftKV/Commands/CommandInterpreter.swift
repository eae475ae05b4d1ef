import RaftCore

/// Runs the commands of the table that read and change data. The same command on the same data at the same moment
/// answers and changes the same on every machine.
///
/// A command that is refused changes nothing, and one that reads never does.
public enum CommandInterpreter<Backend: OrderedBackend> {
  typealias Store = Keyspace<Backend>

  /// Runs a command.
  ///
  /// - Parameters:
  ///   - arguments: The name, in any case, and what follows it.
  ///   - namespace: Where the keys are that it names.
  ///   - keyspace: The data at a moment.
  /// - Returns: What the command answers. Commands of connections are not known here.
  public static func execute(
    _ arguments: [Bytes], namespace: Bytes, on keyspace: inout Keyspace<Backend>
  ) -> Reply {
    execute(arguments, arguments.first.flatMap(CommandTable.find), namespace: namespace, on: &keyspace)
  }

  /// Runs a command that was found in the table already; nil if it is not there.
  static func execute(
    _ arguments: [Bytes], _ info: CommandInfo?, namespace: Bytes, on keyspace: inout Keyspace<Backend>
  ) -> Reply {
    guard let info, let body = info.body else { return .error(CommandTable.unknownCommand(arguments)) }
    guard info.accepts(argumentCount: arguments.count) else {
      return .error(CommandError.arity(info.name).text)
    }
    let call = CommandCall(arguments: arguments, namespace: namespace, info: info)
    do throws(CommandError) {
      return try run(body, call, &keyspace)
    } catch {
      return .error(error.text)
    }
  }

  private static func run(
    _ body: CommandInfo.Body, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch body {
    case .string(let command): try run(command, call, &store)
    case .key(let command): try run(command, call, &store)
    case .expiry(let command): try run(command, call, &store)
    case .bit(let command): try run(command, call, &store)
    case .hyperLogLog(let command): try run(command, call, &store)
    case .bloomFilter(let command): try run(command, call, &store)
    }
  }
}

// MARK: - What most commands need

extension CommandInterpreter {
  /// The value of `key` as a string: nil if there is none. A JSON text is a string to those who ask for one.
  static func string(
    _ key: Bytes, _ call: CommandCall, _ store: Store
  ) throws(CommandError) -> StoredValue? {
    guard let value = store.value(namespace: call.namespace, key: key) else { return nil }
    guard value.kind != .bloomFilter else { throw .wrongType }
    return value
  }

  /// Puts a string under `key`.
  static func setString(
    _ payload: Bytes, expiry: UInt64? = nil, _ key: Bytes, _ call: CommandCall, _ store: inout Store
  ) {
    let value = StoredValue(kind: .string, payload: payload, expiry: expiry)
    store.set(value, namespace: call.namespace, key: key)
  }

  /// Refuses a string of more bytes than one may have.
  static func checkLength(_ count: Int) throws(CommandError) {
    guard count <= CommandTable.longestString else { throw .tooLong }
  }
}
