import RaftCore

// CLIENT: only a client itself is known to its connection.

extension RESPConnection {
  static let badName = "ERR Client names cannot contain spaces, newlines or special characters."

  static func isName(_ name: Bytes) -> Bool { name.allSatisfy { (0x21...0x7E).contains($0) } }

  mutating func client(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    let word = Self.lowered(request[1])
    switch (word, request.count) {
    case ("id", 2): return .integer(Int64(id))
    case ("getname", 2): return session.name.isEmpty ? .null : .bulk(session.name)
    case ("setname", 3):
      guard Self.isName(request[2]) else { return .error(Self.badName) }
      session.name = request[2]
      return .ok
    case ("setinfo", 4): return setInfo(request)
    case ("info", 2): return listed([line("info", facts)])
    case ("list", _): return list(request, facts)
    case ("no-evict", 3), ("no-touch", 3):
      return ["on", "off"].contains(Self.lowered(request[2])) ? .ok : .error("ERR syntax error")
    case ("reply", 3): return replyMode(request)
    case ("kill", 3...): return kill(request, facts)
    case ("getredir", 2): return .integer(-1)
    case ("id", _), ("getname", _), ("setname", _), ("setinfo", _), ("info", _), ("no-evict", _),
      ("no-touch", _), ("reply", _), ("kill", _), ("getredir", _):
      return .error("ERR wrong number of arguments for 'client|\(word)' command")
    default: return Self.unknownSubcommand(request)
    }
  }

  static func unknownSubcommand(_ request: [Bytes]) -> Reply {
    guard let info = CommandTable.find(request[0]) else { return .error("ERR syntax error") }
    return .error(CommandTable.unknownSubcommand(request[1], of: info))
  }

  private mutating func setInfo(_ request: [Bytes]) -> Reply {
    guard Self.isName(request[3]) else {
      let option = Self.lowered(request[2])
      return .error("ERR \(option) cannot contain spaces, newlines or special characters.")
    }
    switch Self.lowered(request[2]) {
    case "lib-name": session.library = request[3]
    case "lib-ver": session.libraryVersion = request[3]
    default: return .error("ERR Unrecognized option '\(String(decoding: request[2], as: UTF8.self))'")
    }
    return .ok
  }

  private mutating func replyMode(_ request: [Bytes]) -> Reply {
    switch Self.lowered(request[2]) {
    case "on": session.replyMode = .on
    case "off": session.replyMode = .off
    case "skip": session.replyMode = .skip
    default: return .error("ERR syntax error")
    }
    return .ok
  }

  mutating func setReplyMode(_ mode: RESPSession.ReplyMode) {
    session.replyMode = nil
    switch mode {
    case .on: (writer.isSilent, writer.skipCount) = (false, 0)
    case .off: writer.isSilent = true
    // Its own answer, and the next.
    case .skip: if !writer.isSilent { writer.skipCount = 2 }
    }
  }

  // MARK: - Who is there

  private static let types = ["normal", "master", "replica", "slave", "pubsub"]

  private static func unknownType(_ word: Bytes) -> Reply {
    .error("ERR Unknown client type '\(String(decoding: word, as: UTF8.self))'")
  }

  private func list(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    guard request.count > 2 else { return listed([line("list", facts)]) }
    switch Self.lowered(request[2]) {
    case "type" where request.count == 4:
      let type = Self.lowered(request[3])
      guard Self.types.contains(type) else { return Self.unknownType(request[3]) }
      return listed(type == "normal" ? [line("list", facts)] : [])
    case "id" where request.count > 3:
      let ids = request[3...].map { NumberText.integer($0) }
      guard ids.allSatisfy({ $0 ?? 0 > 0 }) else { return .error("ERR Invalid client ID") }
      return listed(ids.filter { $0 == Int64(id) }.map { _ in line("list", facts) })
    default: return .error("ERR syntax error")
    }
  }

  private func listed(_ lines: [String]) -> Reply {
    .verbatim(format: "txt", text: Bytes(lines.map { $0 + "\n" }.joined().utf8))
  }

  private func line(_ word: String, _ facts: RESPFacts) -> String {
    "id=\(id) addr=\(facts.clientAddress) laddr=\(facts.address) fd=0 "
      + "name=\(String(decoding: session.name, as: UTF8.self)) age=0 idle=0 flags=N "
      + "db=\(session.database) sub=0 psub=0 ssub=0 multi=\(queue.map(\.count) ?? -1) qbuf=0 qbuf-free=0 "
      + "argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=client|\(word) "
      + "user=default redir=-1 resp=\(session.version)"
  }

  /// By an address, which may be the client's own; or by filters, which spare it unless they say that they do not.
  private mutating func kill(_ request: [Bytes], _ facts: RESPFacts) -> Reply {
    guard request.count > 3 else {
      guard request[2] == Bytes(facts.clientAddress.utf8) else { return .error("ERR No such client") }
      session.isKilled = true
      return .ok
    }
    var (isMeant, isSpared) = (true, true)
    for index in stride(from: 2, to: request.count, by: 2) {
      guard index + 1 < request.count else { return .error("ERR syntax error") }
      let value = request[index + 1]
      switch Self.lowered(request[index]) {
      case "id":
        guard let number = NumberText.integer(value), number > 0 else {
          return .error("ERR client-id should be greater than 0")
        }
        isMeant = isMeant && number == Int64(id)
      case "type":
        guard Self.types.contains(Self.lowered(value)) else { return Self.unknownType(value) }
        isMeant = isMeant && Self.lowered(value) == "normal"
      case "addr": isMeant = isMeant && value == Bytes(facts.clientAddress.utf8)
      case "laddr": isMeant = isMeant && value == Bytes(facts.address.utf8)
      case "user":
        guard value == Bytes("default".utf8) else {
          return .error("ERR No such user '\(String(decoding: value, as: UTF8.self))'")
        }
      case "skipme":
        let word = Self.lowered(value)
        guard ["yes", "no"].contains(word) else { return .error("ERR syntax error") }
        isSpared = word == "yes"
      default: return .error("ERR syntax error")
      }
    }
    guard isMeant, !isSpared else { return .integer(0) }
    session.isKilled = true
    return .integer(1)
  }
}
