import RaftCore

// Requests that are about the connection, or the node, and those that cannot be carried out.

extension RESPConnection {
  typealias Begun = (step: Step, underway: Underway)

  /// Carries out one request that is no step by itself, or begins one.
  mutating func perform(_ request: [Bytes], _ facts: () -> RESPFacts) -> Begun? {
    let name = Self.lowered(request[0])
    // What a browser sends that was made to speak to this port.
    if name == "post" || name == "host:" {
      close()
      return nil
    }
    guard let info = CommandTable.find(request[0]) else {
      refuse(CommandTable.unknownCommand(request))
      return nil
    }
    if let fault = fault(of: request, info) {
      refuse(fault)
      return nil
    }
    if queue != nil, !["exec", "discard", "multi", "watch", "quit", "reset"].contains(name) {
      enqueue(request, info, name, facts)
      return nil
    }
    switch name {
    case "multi": beginTransaction()
    case "exec": return endTransaction()
    case "discard": discard()
    case "watch": return watch(request)
    case "namespaces": return (.namespaces, .namespaces)
    case "reset": reset()
    case "quit":
      writer.write(.ok)
      close()
    default: writer.write(reply(to: request, name, facts))
    }
    return nil
  }

  static func lowered(_ word: Bytes) -> String { String(decoding: word, as: UTF8.self).lowercased() }

  private mutating func refuse(_ text: String) {
    if queue != nil { isAborted = true }
    writer.write(.error(text))
  }

  // MARK: - Transactions

  private mutating func beginTransaction() {
    guard queue == nil else { return writer.write(.error("ERR MULTI calls can not be nested")) }
    queue = []
    writer.write(.ok)
  }

  private mutating func enqueue(
    _ request: [Bytes], _ info: CommandInfo, _ name: String, _ facts: () -> RESPFacts
  ) {
    guard (queue?.count ?? 0) < options.transactionCountMax, queuedBytes < options.requestBytesMax else {
      return refuse("ERR the transaction is too large")
    }
    if info.isConnection {
      guard name != "namespaces" else { return refuse("ERR NAMESPACES is not allowed in transactions") }
      let answer = reply(to: request, name, facts)
      queue?.append(.answered(answer))
    } else {
      let call = KeyValueCall(namespace: namespace, arguments: request)
      queuedBytes += call.bytes
      queue?.append(.call(call))
    }
    writer.write(.status("QUEUED"))
  }

  private mutating func endTransaction() -> Begun? {
    guard let queued = queue else {
      writer.write(.error("ERR EXEC without MULTI"))
      return nil
    }
    let (isAborted, watched) = (isAborted, watched)
    forgetTransaction()
    guard !isAborted else {
      writer.write(.error("EXECABORT Transaction discarded because of previous errors."))
      return nil
    }
    let calls = queued.compactMap { if case .call(let call) = $0 { call } else { nil } }
    return (.transaction(calls, watched: watched), .transaction(queued))
  }

  private mutating func discard() {
    guard queue != nil else { return writer.write(.error("ERR DISCARD without MULTI")) }
    forgetTransaction()
    writer.write(.ok)
  }

  private mutating func forgetTransaction() {
    queue = nil
    queuedBytes = 0
    isAborted = false
    watched = []
  }

  private mutating func watch(_ request: [Bytes]) -> Begun? {
    guard queue == nil else {
      writer.write(.error("ERR WATCH inside MULTI is not allowed"))
      return nil
    }
    guard watched.count + request.count <= options.watchedMax else {
      refuse("ERR too many keys are watched; the limit is \(options.watchedMax)")
      return nil
    }
    let keys = request.dropFirst().map { WatchedKey(namespace: namespace, key: $0, version: 0) }
    return (.watch(keys), .watch)
  }

  private mutating func reset() {
    forgetTransaction()
    namespace = Bytes("default".utf8)
    database = 0
    name = []
    writer.version = 2
    writer.write(.status("RESET"))
  }

  // MARK: - What is answered at once

  private mutating func reply(to request: [Bytes], _ name: String, _ facts: () -> RESPFacts) -> Reply {
    switch name {
    case "ping": return ping(request)
    case "echo": return .bulk(request[1])
    case "select": return select(request[1])
    case "hello": return hello(request, facts())
    case "auth": return .error(Self.noPassword(request.count))
    case "client": return client(request, facts())
    case "command": return Self.command(request)
    case "config": return Self.config(request)
    case "info":
      return .verbatim(
        format: "txt", text: Bytes(facts().information(request.dropFirst().map(Self.lowered)).utf8))
    case "time":
      let time = facts().wallMicroseconds
      return .array([.bulk("\(time / 1_000_000)"), .bulk("\(time % 1_000_000)")])
    case "unwatch":
      watched = []
      return .ok
    // An acknowledged write is on a majority, this node or the leader among them.
    case "wait": return wait(request, facts())
    case "function":
      return ["flush", "delete", "restore"].contains(Self.lowered(request[1]))
        ? .ok : .error("ERR there are no functions here")
    case "cluster":
      return .error(
        "ERR This instance has cluster support disabled: any node takes any request, and passes it on")
    case "replicaof", "slaveof":
      return .error(
        "ERR \(name.uppercased()) is not needed: all nodes hold the same; nodes join with raftnode --peers")
    case "readonly", "readwrite": return .ok
    default: return .error(CommandTable.unknownCommand(request))
    }
  }

  private func ping(_ request: [Bytes]) -> Reply {
    switch request.count {
    case 1: .status("PONG")
    case 2: .bulk(request[1])
    default: .error("ERR wrong number of arguments for 'ping' command")
    }
  }

  private func wait(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    guard NumberText.integer(request[1]) != nil else {
      return .error("ERR value is not an integer or out of range")
    }
    guard let timeout = NumberText.integer(request[2]) else {
      return .error("ERR timeout is not an integer or out of range")
    }
    guard timeout >= 0 else { return .error("ERR timeout is negative") }
    return .integer(Int64((facts.otherVoters + 1) / 2))
  }

  private mutating func select(_ word: Bytes) -> Reply {
    guard word.count <= 1_024, !word.isEmpty else { return .error("ERR invalid DB index") }
    if let number = NumberText.integer(word) {
      guard let named = CommandTable.namespace(ofDatabase: Int(number)) else {
        return .error("ERR DB index is out of range")
      }
      namespace = named
      database = Int(number)
    } else {
      namespace = word
      database = 0
    }
    return .ok
  }

  private static func noPassword(_ count: Int) -> String {
    count > 3
      ? "ERR syntax error"
      : "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        + "configuration is correct?"
  }

  private mutating func hello(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    var version = writer.version
    if request.count > 1 {
      guard let asked = NumberText.integer(request[1]) else {
        return .error("ERR Protocol version is not an integer or out of range")
      }
      guard asked == 2 || asked == 3 else { return .error("NOPROTO unsupported protocol version") }
      version = Int(asked)
    }
    var position = 2
    while position < request.count {
      switch Self.lowered(request[position]) {
      case "auth" where position + 2 < request.count: position += 3
      case "setname" where position + 1 < request.count:
        guard Self.isName(request[position + 1]) else { return .error(Self.badName) }
        name = request[position + 1]
        position += 2
      default:
        return .error(
          "ERR Syntax error in HELLO option '\(String(decoding: request[position], as: UTF8.self))'")
      }
    }
    writer.version = version
    return .map([
      .init(.bulk("server"), .bulk("redis")), .init(.bulk("version"), .bulk(RESPFacts.version)),
      .init(.bulk("proto"), .integer(Int64(version))), .init(.bulk("id"), .integer(Int64(id))),
      .init(.bulk("mode"), .bulk("standalone")), .init(.bulk("role"), .bulk("master")),
      .init(.bulk("modules"), .array([])),
    ])
  }

  // MARK: - CLIENT

  static let badName = "ERR Client names cannot contain spaces, newlines or special characters."

  static func isName(_ name: Bytes) -> Bool { name.allSatisfy { (0x21...0x7E).contains($0) } }

  private mutating func client(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    let word = Self.lowered(request[1])
    switch (word, request.count) {
    case ("id", 2): return .integer(Int64(id))
    case ("getname", 2): return name.isEmpty ? .null : .bulk(name)
    case ("setname", 3):
      guard Self.isName(request[2]) else { return .error(Self.badName) }
      name = request[2]
      return .ok
    case ("setinfo", 4): return setInfo(request)
    case ("info", 2): return .verbatim(format: "txt", text: Bytes((line(facts) + "\n").utf8))
    case ("list", _): return .verbatim(format: "txt", text: Bytes((line(facts) + "\n").utf8))
    case ("no-evict", 3), ("no-touch", 3), ("reply", 3):
      let value = Self.lowered(request[2])
      return value == "on" || (value == "off" && word != "reply") ? .ok : .error("ERR syntax error")
    case ("kill", 3...): return kill(request)
    case ("getredir", 2): return .integer(-1)
    case ("id", _), ("getname", _), ("setname", _), ("setinfo", _), ("info", _), ("no-evict", _), ("kill", _):
      return .error("ERR wrong number of arguments for 'client|\(word)' command")
    default:
      guard let info = CommandTable.find(request[0]) else { return .error("ERR syntax error") }
      return .error(CommandTable.unknownSubcommand(request[1], of: info))
    }
  }

  private mutating func setInfo(_ request: [Bytes]) -> Reply {
    guard Self.isName(request[3]) else {
      let option = Self.lowered(request[2])
      return .error("ERR \(option) cannot contain spaces, newlines or special characters.")
    }
    switch Self.lowered(request[2]) {
    case "lib-name": library = request[3]
    case "lib-ver": libraryVersion = request[3]
    default: return .error("ERR Unrecognized option '\(String(decoding: request[2], as: UTF8.self))'")
    }
    return .ok
  }

  /// Only a client itself is known to its connection.
  private mutating func kill(_ request: [Bytes]) -> Reply {
    if request.count == 4, Self.lowered(request[2]) == "id" {
      guard request[3] == Bytes(String(id).utf8) else { return .integer(0) }
      close()
      return .integer(1)
    }
    return request.count == 3 ? .error("ERR No such client") : .error("ERR syntax error")
  }

  private func line(_ facts: RESPFacts) -> String {
    "id=\(id) addr=127.0.0.1:0 laddr=\(facts.address) fd=0 name=\(String(decoding: name, as: UTF8.self)) age=0 idle=0 "
      + "flags=N db=\(database) sub=0 psub=0 ssub=0 multi=\(queue.map(\.count) ?? -1) qbuf=0 qbuf-free=0 argv-mem=0 "
      + "multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=client|list user=default redir=-1 "
      + "resp=\(writer.version)"
  }

  // MARK: - COMMAND and CONFIG

  private static func command(_ request: [Bytes]) -> Reply {
    let words = request.dropFirst(2)
    switch request.count > 1 ? lowered(request[1]) : "" {
    case "": return .array(CommandTable.all.map(description))
    case "count": return .integer(Int64(CommandTable.all.count))
    case "list": return .array(CommandTable.all.map { .bulk($0.name) })
    case "docs": return .map([])
    case "info":
      let named = words.isEmpty ? CommandTable.all.map { Bytes($0.name.utf8) } : Array(words)
      return .array(named.map { CommandTable.find($0).map(description) ?? .nullArray })
    case "getkeys":
      guard let name = words.first, let info = CommandTable.find(name) else {
        return .error("ERR Invalid command specified")
      }
      guard info.accepts(argumentCount: words.count) else {
        return .error("ERR Invalid number of arguments specified for command")
      }
      let keys = info.keyIndices(argumentCount: words.count)
      guard !keys.isEmpty else { return .error("ERR The command has no key arguments") }
      return .array(keys.map { .bulk(words[words.startIndex + $0]) })
    default:
      return .error(
        CommandTable.find(request[0]).map { CommandTable.unknownSubcommand(request[1], of: $0) } ?? "ERR")
    }
  }

  private static func description(_ info: CommandInfo) -> Reply {
    .array([
      .bulk(info.name), .integer(Int64(info.arity)), .set(info.flags.map { .status($0) }),
      .integer(Int64(info.firstKey)), .integer(Int64(info.lastKey)), .integer(Int64(info.step)), .set([]),
      .array([]), .array([]), .array([]),
    ])
  }

  /// What programs ask for before they begin. Nothing can be set.
  private static let settings: [(String, String)] = [
    ("appendonly", "no"), ("databases", "16"), ("maxclients", "10000"), ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"), ("proto-max-bulk-len", "536870912"), ("save", ""), ("timeout", "0"),
  ]

  private static func config(_ request: [Bytes]) -> Reply {
    switch lowered(request[1]) {
    case "get" where request.count > 2:
      let patterns = request.dropFirst(2).map { GlobPattern(Bytes(lowered($0).utf8)) }
      return .map(
        settings.filter { setting in patterns.contains { $0.matches(Bytes(setting.0.utf8)) } }
          .map { .init(.bulk($0.0), .bulk($0.1)) })
    case "resetstat": return .ok
    case "set", "rewrite":
      return .error(
        "ERR CONFIG \(lowered(request[1]).uppercased()) is not supported: options are given to raftnode")
    case "get": return .error("ERR wrong number of arguments for 'config|get' command")
    default:
      return .error(
        CommandTable.find(request[0]).map { CommandTable.unknownSubcommand(request[1], of: $0) } ?? "ERR")
    }
  }
}
