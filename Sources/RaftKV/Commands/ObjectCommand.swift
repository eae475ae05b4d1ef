import RaftCore

extension CommandInterpreter {
  static func object(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    let word = call.option(1)
    let name = "object|" + word.lowercased()
    guard let info = call.info.subcommands.first(where: { $0.name == name }) else {
      throw CommandError(CommandTable.unknownSubcommand(call[1], of: call.info))
    }
    guard info.accepts(argumentCount: call.count) else { throw .arity(info.name) }
    if word == "HELP" { return .array(help.map { .status($0) }) }
    guard let value = store.value(namespace: call.namespace, key: call[2]) else { return .null }
    switch word {
    case "ENCODING": return .bulk(encoding(of: value))
    case "REFCOUNT": return .integer(references(to: value))
    // When a key was last read is not part of the data.
    case "IDLETIME": return .integer(0)
    default:
      throw CommandError(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
          + "switching between policies at runtime LRU and LFU data will take some time to adjust.")
    }
  }

  private static func encoding(of value: StoredValue) -> String {
    guard value.kind != .bloomFilter else { return "raw" }
    if NumberText.integer(value.payload) != nil { return "int" }
    return value.payload.count <= 44 ? "embstr" : "raw"
  }

  private static func references(to value: StoredValue) -> Int64 {
    guard value.kind != .bloomFilter, let number = NumberText.integer(value.payload) else { return 1 }
    return (0..<10_000).contains(number) ? Int64(Int32.max) : 1
  }

  private static var help: [String] {
    [
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
      "HELP",
      "    Prints this help.",
    ]
  }
}
