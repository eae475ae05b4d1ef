import RaftCore

// COMMAND, CONFIG and FUNCTION: what is told of the node, or rather of the program.

extension RESPConnection {
  private static func arity(_ request: [Bytes]) -> Reply {
    .error("ERR wrong number of arguments for '\(lowered(request[0]))|\(lowered(request[1]))' command")
  }

  // MARK: - COMMAND

  static func command(_ request: [Bytes]) -> Reply {
    let words = Array(request.dropFirst(2))
    switch (request.count > 1 ? lowered(request[1]) : "", words.count) {
    case ("", _): return .array(CommandTable.all.map(description))
    case ("count", 0): return .integer(Int64(CommandTable.all.count))
    case ("list", _): return list(words)
    case ("docs", _): return .map([])
    case ("info", 0): return .array(CommandTable.all.map(description))
    case ("info", _): return .array(words.map { CommandTable.find($0).map(description) ?? .null })
    case ("getkeys", 2...): return keys(of: words)
    case ("count", _), ("getkeys", _): return arity(request)
    default: return unknownSubcommand(request)
    }
  }

  private static func keys(of words: [Bytes]) -> Reply {
    guard let info = CommandTable.find(words[0]) else { return .error("ERR Invalid command specified") }
    guard info.accepts(argumentCount: words.count) else {
      return .error("ERR Invalid number of arguments specified for command")
    }
    let keys = Array(info.keyIndices(argumentCount: words.count))
    guard !keys.isEmpty else { return .error("ERR The command has no key arguments") }
    return .array(keys.map { .bulk(words[$0]) })
  }

  private static func list(_ words: [Bytes]) -> Reply {
    guard !words.isEmpty else { return .array(CommandTable.all.map { .bulk($0.name) }) }
    guard words.count == 3, lowered(words[0]) == "filterby" else { return .error("ERR syntax error") }
    switch lowered(words[1]) {
    case "pattern":
      let pattern = GlobPattern(Bytes(lowered(words[2]).utf8))
      return .array(
        CommandTable.all.filter { pattern.matches(Bytes($0.name.utf8)) }.map { .bulk($0.name) })
    // There are no modules, and commands are in no categories.
    case "module", "aclcat": return .array([])
    default: return .error("ERR syntax error")
    }
  }

  private static func description(_ info: CommandInfo) -> Reply {
    .array([
      .bulk(info.name), .integer(Int64(info.arity)), .set(info.flags.map { .status($0) }),
      .integer(Int64(info.firstKey)), .integer(Int64(info.lastKey)), .integer(Int64(info.step)), .set([]),
      .array([]), .array([]), .array([]),
    ])
  }

  // MARK: - CONFIG

  /// What programs ask for before they begin. Nothing can be set.
  private static let settings: [(String, String)] = [
    ("appendonly", "no"), ("databases", "16"), ("maxclients", "10000"), ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"), ("proto-max-bulk-len", "536870912"), ("save", ""), ("timeout", "0"),
  ]

  static func config(_ request: [Bytes]) -> Reply {
    switch (lowered(request[1]), request.count) {
    case ("get", 3...): return .map(settings(request.dropFirst(2)).map { .init(.bulk($0.0), .bulk($0.1)) })
    case ("resetstat", 2): return .ok
    case ("set", 4...), ("rewrite", 2):
      return .error(
        "ERR CONFIG \(lowered(request[1]).uppercased()) is not supported: options are given to raftnode")
    case ("get", _), ("set", _), ("resetstat", _), ("rewrite", _): return arity(request)
    default: return unknownSubcommand(request)
    }
  }

  /// A setting that is named comes under the name that it was asked for by, and once.
  private static func settings(_ words: ArraySlice<Bytes>) -> [(String, String)] {
    var found: [(String, String)] = []
    for word in words {
      let pattern = GlobPattern(Bytes(lowered(word).utf8))
      let isPattern = word.contains { "*?[".utf8.contains($0) }
      for (name, value) in settings where pattern.matches(Bytes(name.utf8)) {
        guard !found.contains(where: { $0.0.lowercased() == name }) else { continue }
        found.append((isPattern ? name : String(decoding: word, as: UTF8.self), value))
      }
    }
    return found
  }

  // MARK: - FUNCTION

  /// There are no functions. What programs do before they begin is done all the same.
  static func function(_ request: [Bytes]) -> Reply {
    switch (lowered(request[1]), request.count) {
    case ("flush", 2): return .ok
    case ("flush", 3):
      return ["sync", "async"].contains(lowered(request[2]))
        ? .ok : .error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    case ("flush", _): return .error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    case ("list", 2): return .array([])
    case ("delete", 3): return .error("ERR Library not found")
    case ("delete", _): return arity(request)
    case ("list", _), ("load", _), ("dump", _), ("restore", _), ("stats", _), ("kill", _):
      return .error("ERR there are no functions here")
    default: return unknownSubcommand(request)
    }
  }
}
