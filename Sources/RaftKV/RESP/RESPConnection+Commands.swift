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
      name == "exec" ? abort(fault) : refuse(fault)
      return nil
    }
    if queue != nil, !["exec", "discard", "multi", "watch", "quit", "reset"].contains(name) {
      enqueue(request, name)
      return nil
    }
    switch name {
    case "multi": beginTransaction()
    case "exec": return endTransaction(facts)
    case "discard": discard()
    case "watch": return watch(request)
    case "namespaces": return (.namespaces, .namespaces)
    case "reset": reset()
    case "quit":
      writer.write(.ok)
      close()
    default:
      let reply = reply(to: request, name, facts)
      // The answer to the command that asks for silence is left out, and that to the one that ends it is not.
      if let mode = session.replyMode { setReplyMode(mode) }
      writer.write(reply)
      if session.isKilled { close() }
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

  private mutating func enqueue(_ request: [Bytes], _ name: String) {
    guard (queue?.count ?? 0) < options.transactionCountMax, queuedBytes < options.requestBytesMax else {
      return refuse("ERR the transaction is too large")
    }
    guard name != "namespaces" else { return refuse("ERR NAMESPACES is not allowed in transactions") }
    queuedBytes += KeyValueCall(namespace: session.namespace, arguments: request).bytes
    queue?.append(request)
    writer.write(.status("QUEUED"))
  }

  /// EXEC with a fault ends the transaction as well.
  private mutating func abort(_ fault: String) {
    forgetTransaction()
    let reason = fault.hasPrefix("ERR ") ? String(fault.dropFirst(4)) : fault
    writer.write(.error("EXECABORT Transaction discarded because of: \(reason)"))
  }

  private mutating func endTransaction(_ facts: () -> RESPFacts) -> Begun? {
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
    // What its commands set is so for those behind them, and stays so only if the transaction runs.
    let before = session
    var (calls, items): ([KeyValueCall], [Queued]) = ([], [])
    for request in queued {
      if CommandTable.find(request[0])?.isConnection ?? true {
        let reply = reply(to: request, Self.lowered(request[0]), facts)
        items.append(.answered(reply, version: session.version))
      } else {
        calls.append(KeyValueCall(namespace: session.namespace, arguments: request))
        items.append(.call)
      }
    }
    let after = session
    session = before
    return (.transaction(calls, watched: watched), .transaction(items, after))
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
    let keys = request.dropFirst().map { WatchedKey(namespace: session.namespace, key: $0, version: 0) }
    return (.watch(keys), .watch)
  }

  private mutating func reset() {
    forgetTransaction()
    session = RESPSession(library: session.library, libraryVersion: session.libraryVersion)
    setReplyMode(.on)
    writer.write(.status("RESET"))
  }

  // MARK: - What is answered at once

  private mutating func reply(to request: [Bytes], _ name: String, _ facts: () -> RESPFacts) -> Reply {
    switch name {
    case "ping": return ping(request)
    case "echo": return .bulk(request[1])
    case "select": return select(request[1])
    case "hello": return hello(request, facts())
    case "auth": return Self.authenticate(request)
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
    case "wait": return wait(request, facts())
    case "function": return Self.function(request)
    case "cluster":
      return .error(
        "ERR This instance has cluster support disabled: any node takes any request, and passes it on")
    case "replicaof", "slaveof":
      return .error(
        "ERR \(name.uppercased()) is not needed: all nodes hold the same; nodes join with raftnode --peers")
    case "readonly", "readwrite": return .error("ERR This instance has cluster support disabled")
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

  /// An acknowledged write is on a majority, this node or the leader among them.
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
      session.namespace = named
      session.database = Int(number)
    } else {
      session.namespace = word
      session.database = 0
    }
    return .ok
  }

  private static func authenticate(_ request: [Bytes]) -> Reply {
    switch request.count {
    case 2:
      .error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
          + "configuration is correct?")
    case 3: isUser(request[1]) ? .ok : .error(wrongUser)
    default: .error("ERR syntax error")
    }
  }

  /// Without passwords there is one user, whom any password lets in.
  private static func isUser(_ name: Bytes) -> Bool { name == Bytes("default".utf8) }

  private static let wrongUser = "WRONGPASS invalid username-password pair or user is disabled."

  private mutating func hello(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    var version = session.version
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
      case "auth" where position + 2 < request.count:
        guard Self.isUser(request[position + 1]) else { return .error(Self.wrongUser) }
        position += 3
      case "setname" where position + 1 < request.count:
        guard Self.isName(request[position + 1]) else { return .error(Self.badName) }
        session.name = request[position + 1]
        position += 2
      default:
        return .error(
          "ERR Syntax error in HELLO option '\(String(decoding: request[position], as: UTF8.self))'")
      }
    }
    session.version = version
    return .map([
      .init(.bulk("server"), .bulk("redis")), .init(.bulk("version"), .bulk(RESPFacts.version)),
      .init(.bulk("proto"), .integer(Int64(version))), .init(.bulk("id"), .integer(Int64(id))),
      .init(.bulk("mode"), .bulk("standalone")), .init(.bulk("role"), .bulk("master")),
      .init(.bulk("modules"), .array([])),
    ])
  }
}
