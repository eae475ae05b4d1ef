import RaftCore

/// A command that makes no sense.
struct ScriptError: Error, CustomStringConvertible {
  let description: String
}

/// The words of a command, taken one after the other.
struct ScriptCommand {
  let text: String
  private var rest: ArraySlice<String>

  init(_ text: String) {
    self.text = text
    rest = text.split(separator: " ").map(String.init)[...]
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func word(_ what: String) throws -> String {
    guard let word = rest.popFirst() else { throw ScriptError(description: "\(what) is missing") }
    return word
  }

  /// Takes the next word if it is `word`.
  mutating func take(_ word: String) -> Bool {
    guard rest.first == word else { return false }
    rest.removeFirst()
    return true
  }

  mutating func number(_ what: String) throws -> UInt64 {
    let word = try word(what)
    guard let number = UInt64(word) else { throw ScriptError(description: "'\(word)' is no \(what)") }
    return number
  }

  /// `index@term`.
  mutating func entry(_ what: String) throws -> EntryID { try Self.entry(try word(what), what) }

  static func entry(_ word: String, _ what: String) throws -> EntryID {
    let parts = word.split(separator: "@").map { UInt64($0) }
    guard parts.count == 2, let index = parts[0], let term = parts[1] else {
      throw ScriptError(description: "'\(word)' is no \(what): that is index@term")
    }
    return EntryID(term: Term(term), index: LogIndex(index))
  }

  mutating func words() -> [String] {
    defer { rest = [] }
    return Array(rest)
  }

  mutating func end() throws {
    guard isAtEnd else { throw ScriptError(description: "'\(rest.joined(separator: " "))' is too much") }
  }
}

/// Picks messages: `1->2`, `*->2`, `kind=append,append-reply`, `term=4`, `count=1`.
struct ScriptSelector {
  private var from: UInt64?
  private var to: UInt64?
  private var kinds: [String] = []
  private var term: UInt64?
  private(set) var count = Int.max

  init(_ words: [String]) throws {
    for word in words {
      if let ends = try Self.ends(word) {
        (from, to) = ends
      } else if let list = Self.value(word, of: "kind") {
        kinds = list.split(separator: ",").map(String.init)
        for kind in kinds where !ScriptWords.kinds.contains(kind) {
          throw ScriptError(description: "there is no kind '\(kind)' of message")
        }
      } else if let number = Self.value(word, of: "term").flatMap({ UInt64($0) }) {
        term = number
      } else if let number = Self.value(word, of: "count").flatMap({ Int($0) }) {
        count = number
      } else {
        throw ScriptError(description: "'\(word)' picks no messages")
      }
    }
  }

  func matches(_ message: Message) -> Bool {
    (from ?? message.from.rawValue) == message.from.rawValue
      && (to ?? message.to.rawValue) == message.to.rawValue
      && (term ?? message.term.rawValue) == message.term.rawValue
      && (kinds.isEmpty || kinds.contains(ScriptWords.kind(message.body)))
  }

  /// Both ends of `1->2`; nil stands for `*`.
  static func ends(_ word: String) throws -> (UInt64?, UInt64?)? {
    guard let arrow = word.firstRange(of: "->") else { return nil }
    let ends = [word[..<arrow.lowerBound], word[arrow.upperBound...]]
    for end in ends where end != "*" && UInt64(end) == nil {
      throw ScriptError(description: "'\(end)' is no node")
    }
    return (UInt64(ends[0]), UInt64(ends[1]))
  }

  static func value(_ word: String, of key: String) -> String? {
    word.hasPrefix("\(key)=") ? String(word.dropFirst(key.count + 1)) : nil
  }
}

/// Reads a message in the form in which ``ScriptWords/line(_:)`` writes it; `with=a,b` gives the payloads of an append.
struct ScriptMessage {
  var packet: Network.Packet
  private var values: [String]

  init(_ words: [String]) throws {
    guard words.count >= 3, case (let from?, let to?)? = try ScriptSelector.ends(words[0]),
      words[1].hasPrefix("t"),
      let term = UInt64(words[1].dropFirst())
    else {
      throw ScriptError(description: "a message begins with its ends, its term and its kind: 1->2 t4 append")
    }
    values = Array(words[3...])
    let message = Message(from: NodeID(from), to: NodeID(to), term: Term(term), body: .staleTerm)
    packet = Network.Packet(message: message, entries: [])
    packet.message.body = try body(words[2])
    if let word = values.first { throw ScriptError(description: "'\(word)' belongs to no \(words[2])") }
  }

  private mutating func body(_ kind: String) throws -> Message.Body {
    switch kind {
    case "vote", "prevote":
      .requestVote(
        RequestVote(
          campaignTerm: Term(try number("for")), lastEntry: try entry("last"), isPreVote: kind == "prevote",
          isTransfer: flag("transfer")))
    case "vote-reply", "prevote-reply":
      .requestVoteReply(
        RequestVoteReply(
          campaignTerm: Term(try number("for")), isPreVote: kind == "prevote-reply", isGranted: try answer()))
    case "append": try append()
    case "append-reply": .appendEntriesReply(.accepted(match: LogIndex(try number("match"))))
    case "append-reject":
      .appendEntriesReply(.rejected(previous: LogIndex(try number("after")), hint: try entry("hint")))
    case "heartbeat":
      .heartbeat(
        Heartbeat(
          commitIndex: LogIndex(try number("commit")), heldByAll: LogIndex(try number("held")),
          round: try number("round")))
    case "heartbeat-reply": .heartbeatReply(HeartbeatReply(round: try number("round")))
    case "commit": .commitNotice(LogIndex(try number("through")))
    case "stale-term": .staleTerm
    case "timeout-now": .timeoutNow
    case "snapshot": try snapshot()
    case "snapshot-reply":
      if let covered = try? number("covered") {
        .installSnapshotReply(.covered(through: LogIndex(covered)))
      } else {
        .installSnapshotReply(.wants(fingerprint: try number("id"), offset: try number("wants")))
      }
    default: throw ScriptError(description: "a message of kind '\(kind)' cannot be said")
    }
  }

  private mutating func append() throws -> Message.Body {
    let previous = try entry("after")
    let size = try value("n")
    let payloads = (try? value("with"))?.split(separator: ",").map(String.init)
    let last =
      size == "0" ? EntryID(term: previous.term, index: .zero) : try ScriptCommand.entry(size, "size")
    let count = Int(last.index.rawValue)
    packet.entries = (0..<count).map { offset in
      let id = EntryID(term: last.term, index: previous.index.advanced(by: offset + 1))
      let payload = payloads.map { $0[offset % $0.count] } ?? ScriptWords.entry(id)
      return Entry(
        id: id, content: payload == "-" ? .empty : .payload(payload), bytes: UInt32(payload.utf8.count))
    }
    return .appendEntries(
      AppendEntries(
        previous: previous, entriesTerm: last.term, count: UInt32(count),
        commitIndex: LogIndex(try number("commit"))))
  }

  /// The whole of a snapshot in one piece: `last=5@2 id=7 bytes=100`; it names the founders 1 to 3 as voters.
  private mutating func snapshot() throws -> Message.Body {
    let last = try entry("last")
    let founders = (1...3).map { Member(id: NodeID($0), address: "n\($0)", store: .durable) }
    packet.configuration = IndexedConfiguration(
      index: LogIndex(1), configuration: try Configuration(voters: founders))
    let bytes = try number("bytes")
    return .installSnapshot(
      InstallSnapshot(
        last: last, bytes: bytes, fingerprint: try number("id"), offset: 0, count: UInt32(clamping: bytes)))
  }

  private mutating func value(_ key: String) throws -> String {
    guard let place = values.firstIndex(where: { $0.hasPrefix("\(key)=") }) else {
      throw ScriptError(description: "\(key)=… is missing")
    }
    return String(values.remove(at: place).dropFirst(key.count + 1))
  }

  private mutating func number(_ key: String) throws -> UInt64 {
    let text = try value(key)
    guard let number = UInt64(text) else { throw ScriptError(description: "\(key)=\(text) is no number") }
    return number
  }

  private mutating func entry(_ key: String) throws -> EntryID {
    try ScriptCommand.entry(try value(key), key)
  }

  private mutating func flag(_ word: String) -> Bool {
    guard let place = values.firstIndex(of: word) else { return false }
    values.remove(at: place)
    return true
  }

  private mutating func answer() throws -> Bool {
    if flag("yes") { return true }
    if flag("no") { return false }
    throw ScriptError(description: "a vote is answered by yes or no")
  }
}
