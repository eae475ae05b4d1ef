import RaftCore

// Assertions. They print nothing: replacing the trace underneath cannot make one of them hold.
extension ScriptInterpreter {
  mutating func expect(_ command: inout ScriptCommand) throws {
    let subject = try command.word("what to expect")
    let isKnown =
      try expectOfRoles(subject, &command) || expectOfLogs(subject, &command)
      || expectOfPeers(subject, &command) || expectOfAnswers(subject, &command)
    guard isKnown else { throw ScriptError(description: "'\(subject)' cannot be expected") }
  }

  private mutating func check(_ holds: Bool, _ command: ScriptCommand, _ found: String) {
    if !holds { failures.append("'\(command.text)', but found \(found)") }
  }

  /// Compares a number of several nodes.
  private mutating func check(
    _ command: inout ScriptCommand, _ value: (RaftNode<String>) -> UInt64
  ) throws {
    let some = try nodes(&command)
    let expected = try command.number("number")
    for position in some {
      let node = network.nodes[position]
      check(value(node) == expected, command, "\(value(node)) on \(node.id.rawValue)")
    }
  }

  private mutating func expectOfRoles(_ subject: String, _ command: inout ScriptCommand) throws -> Bool {
    let leaders = live.filter { network.nodes[$0].isLeader }.map { network.nodes[$0].id.rawValue }
    switch subject {
    case "leader":
      let position = try node(&command)
      let id = network.nodes[position].id.rawValue
      check(leaders.contains(id), command, "leaders \(leaders)")
    case "only-leader":
      check(leaders == [network.nodes[try node(&command)].id.rawValue], command, "\(leaders)")
    case "no-leader": check(leaders.isEmpty, command, "leaders \(leaders)")
    case "some-leader": check(leaders.count == 1, command, "leaders \(leaders)")
    case "role":
      let role = ScriptWords.words(network.nodes[try node(&command)].role)
      check(try command.word("role") == role, command, role)
    case "follows":
      let some = try nodes(&command)
      let expected = try command.word("leader")
      for position in some {
        let leader = network.nodes[position].leader.map { "\($0.rawValue)" } ?? "nobody"
        check(expected == leader, command, leader)
      }
    case "term": try check(&command) { $0.term.rawValue }
    case "term-above":
      let term = network.nodes[try node(&command)].term
      check(try command.number("term") < term.rawValue, command, "\(term)")
    default: return false
    }
    return true
  }

  private mutating func expectOfLogs(_ subject: String, _ command: inout ScriptCommand) throws -> Bool {
    switch subject {
    case "commit": try check(&command) { $0.commitIndex.rawValue }
    case "applied": try check(&command) { $0.appliedIndex.rawValue }
    case "durable": try check(&command) { $0.status.durableIndex.rawValue }
    case "pages":
      let position = try node(&command)
      let count = network.applied[position].count
      check(try command.number("count") == count, command, "\(count)")
    case "configuration":
      let some = try nodes(&command)
      let expected = command.words().joined(separator: " ")
      for position in some {
        let words = ScriptWords.words(network.nodes[position].configuration)
        check(words == expected, command, words)
      }
    case "last":
      let some = try nodes(&command)
      let expected = try command.entry("last entry")
      for position in some {
        let last = network.nodes[position].lastEntry
        check(last == expected, command, ScriptWords.entry(last))
      }
    case "log":
      let some = try nodes(&command)
      let expected = command.words()
      for position in some { check(network.log(position) == expected, command, "\(network.log(position))") }
    case "same-logs":
      let some = command.isAtEnd ? live : try nodes(&command)
      for position in some {
        check(network.log(position) == network.log(some[0]), command, "\(network.log(position))")
      }
    case "disk":
      let state = network.disk(try node(&command))
      let (term, last) = (state.hardState.term.rawValue, state.entries.last?.id ?? state.base)
      let vote = state.hardState.votedFor?.rawValue ?? 0
      if command.take("term") { check(try command.number("term") == term, command, "\(term)") }
      if command.take("vote") { check(try command.number("vote") == vote, command, "\(vote)") }
      if command.take("last") { check(try command.entry("entry") == last, command, ScriptWords.entry(last)) }
    default: return false
    }
    return true
  }

  private mutating func expectOfPeers(_ subject: String, _ command: inout ScriptCommand) throws -> Bool {
    guard ["match", "next", "under-way", "left-behind"].contains(subject) else { return false }
    let leader = network.nodes[try node(&command)]
    let id = network.nodes[try node(&command)].id
    guard let peer = leader.status.peers.first(where: { $0.id == id }) else {
      check(false, command, "that it does not lead")
      _ = command.words()
      return true
    }
    switch subject {
    case "match":
      check(try command.number("index") == peer.matchIndex.rawValue, command, "\(peer.matchIndex)")
    case "next": check(try command.number("index") == peer.nextIndex.rawValue, command, "\(peer.nextIndex)")
    case "under-way":
      check(try command.number("count") == peer.inflightMessages, command, "\(peer.inflightMessages)")
    default: check(peer.isLeftBehind, command, "that it is not")
    }
    return true
  }

  private mutating func expectOfAnswers(_ subject: String, _ command: inout ScriptCommand) throws -> Bool {
    switch subject {
    case "read":
      let name = try command.word("read")
      guard let number = UInt64(name.dropFirst()), name.hasPrefix("r"), number > 0, number <= readCount else {
        throw ScriptError(description: "there was no read '\(name)'")
      }
      let answer = answers[ReadID(boot: 1, number: number)].map {
        $0.readIndex.map { "at \($0)" } ?? "refused"
      }
      let expected = command.words().joined(separator: " ")
      check((answer ?? "open") == expected, command, answer ?? "open")
    case "outcome":
      let expected = command.words().joined(separator: " ")
      check(lastOutcome == expected, command, lastOutcome)
    case "messages":
      let count = try command.number("count")
      let selector = try ScriptSelector(command.words())
      let found = network.packets.filter { selector.matches($0.message) }.count
      check(found == count, command, "\(found)")
    case "at-most":
      let count = try command.number("count")
      let kind = try command.word("kind")
      guard ScriptWords.kinds.contains(kind) else {
        throw ScriptError(description: "there is no kind '\(kind)'")
      }
      check(arrivals[kind, default: 0] <= count, command, "\(arrivals[kind, default: 0])")
    default: return false
    }
    return true
  }
}
