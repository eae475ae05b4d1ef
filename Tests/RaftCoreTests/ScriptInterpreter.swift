import RaftCore

/// Replays the commands of a script on a ``Network``, and says line for line what happens.
///
/// A message is written down when it arrives (or is lost), and indented below it what its receiver did. After every
/// command the interpreter compares the nodes with each other: whatever a script tests, two nodes never commit
/// different entries, and no term has two leaders or two votes of one node.
struct ScriptInterpreter {
  var network: Network
  var isFounded = false
  var options = RaftOptions()
  var applyBytesMax = 1 << 20
  /// What the command under way has brought about.
  var lines: [String] = []
  /// Assertions that did not hold.
  var failures: [String] = []
  /// How many assertions were made.
  var expectationCount = 0
  /// Messages put aside, by the name that the script gave them.
  var aside: [(name: String, packets: [Network.Packet])] = []
  /// Links on which messages are lost, by the ids of their ends.
  var cuts: [(from: UInt64, to: UInt64)] = []
  /// The answers to reads, by number: the first one counts.
  var answers: [ReadID: ReadOutcome] = [:]
  var readCount: UInt64 = 0
  /// What became of the last proposal or transfer: "accepted" or why not.
  var lastOutcome = "nothing was asked for"
  /// How many messages of each kind arrived.
  var arrivals: [String: Int] = [:]
  var record = SafetyRecord()

  init() throws { network = try Network(1) }

  /// Runs one command and returns what happened; of one behind `quietly`, nothing.
  mutating func perform(_ text: String) throws -> [String] {
    lines = []
    var command = ScriptCommand(text)
    let isQuiet = command.take("quietly")
    let verb = try command.word("the command")
    guard isFounded || verb == "nodes" || verb == "options" else {
      throw ScriptError(description: "a script begins with 'nodes'")
    }
    let isKnown =
      try performOnCluster(verb, &command) || performOnTime(verb, &command)
      || performOnMessages(verb, &command)
      || performOnLeadership(verb, &command) || performOnMembership(verb, &command)
      || performOnDisk(verb, &command) || performToShow(verb, &command)
    if !isKnown, verb == "expect" {
      expectationCount += 1
      try expect(&command)
    } else if !isKnown {
      throw ScriptError(description: "there is no command '\(verb)'")
    }
    try command.end()
    if isFounded { failures += record.compare(network) }
    return isQuiet ? [] : lines
  }

  // MARK: - Nodes

  mutating func node(_ command: inout ScriptCommand) throws -> Int {
    try position(of: try command.number("node"))
  }

  func position(of id: UInt64) throws -> Int {
    guard let position = network.nodes.firstIndex(where: { $0.id.rawValue == id }) else {
      throw ScriptError(description: "there is no node \(id)")
    }
    return position
  }

  /// `all` nodes that are up, or those of a list such as `1,3`.
  mutating func nodes(_ command: inout ScriptCommand) throws -> [Int] {
    let word = try command.word("nodes")
    if word == "all" { return live }
    return try word.split(separator: ",").map { id in
      guard let id = UInt64(id) else { throw ScriptError(description: "'\(word)' is no list of nodes") }
      return try position(of: id)
    }
  }

  var live: [Int] { network.nodes.indices.filter { !network.down.contains($0) } }

  // MARK: - Acting

  /// Lets a node do something, and writes down what came of it.
  mutating func act(on position: Int, _ body: (inout Network) throws -> Void) rethrows {
    let sent = network.packets.count
    try body(&network)
    let id = network.nodes[position].id.rawValue
    for event in network.events[position] {
      lines.append(ScriptWords.line(event, of: id))
      if case .becameLeader(let term) = event, let failure = record.noteLeader(id, in: term) {
        failures.append(failure)
      }
    }
    for outcome in network.reads[position] {
      let answer = outcome.readIndex.map { "answers \(ScriptWords.name(outcome.id)) at \($0)" }
      lines.append("  \(id) \(answer ?? "refuses \(ScriptWords.name(outcome.id))")")
      if answers[outcome.id] == nil { answers[outcome.id] = outcome }
    }
    network.events[position] = []
    network.reads[position] = []
    for packet in network.packets[sent...] {
      if let failure = record.noteVote(packet.message) { failures.append(failure) }
    }
  }

  /// Delivers the messages that `selector` picks, and those that follow from them, until there are none left.
  mutating func deliver(_ selector: ScriptSelector, isQuiet: Bool = false) throws {
    var left = min(selector.count, 100_000)
    while let place = network.packets.firstIndex(where: { selector.matches($0.message) }) {
      guard left > 0 else {
        guard selector.count < .max else {
          throw ScriptError(description: "messages follow each other for ever")
        }
        return
      }
      left -= 1
      deliver(network.packets.remove(at: place), isQuiet: isQuiet)
    }
  }

  /// - Parameter isQuiet: Whether heartbeats are left out unless something comes of them.
  mutating func deliver(_ packet: Network.Packet, isQuiet: Bool = false) {
    let kind = ScriptWords.kind(packet.message.body)
    let first = lines.count
    lines.append(ScriptWords.line(packet.message))
    if let position = receiver(of: packet.message) {
      arrivals[kind, default: 0] += 1
      act(on: position) { $0.deliver(packet) }
    } else {
      lines[first] += " is lost"
    }
    if isQuiet, lines.count == first + 1, kind.hasPrefix("heartbeat") { lines.removeLast() }
  }

  private func receiver(of message: Message) -> Int? {
    let (from, to) = (message.from.rawValue, message.to.rawValue)
    guard let position = network.nodes.firstIndex(where: { $0.id == message.to }),
      !network.down.contains(position), !cuts.contains(where: { $0.from == from && $0.to == to })
    else { return nil }
    return position
  }

  /// Lets one tick pass for a node.
  mutating func tick(_ position: Int) {
    network.clocks[position] = network.clocks[position] + 1
    act(on: position) { $0.input(position) { _, _ in } }
  }
}

/// What no cluster may ever do, noted over the whole script.
struct SafetyRecord {
  private var committed: [String?] = []
  private var leaders: [Term: UInt64] = [:]
  private var votes: [Vote: UInt64] = [:]

  /// Nodes that contradict the others: each is named once.
  private var deviants: Set<NodeID> = []

  private struct Vote: Hashable {
    let voter: UInt64
    let term: Term
  }

  mutating func noteLeader(_ id: UInt64, in term: Term) -> String? {
    defer { leaders[term] = id }
    return leaders[term].flatMap { $0 == id ? nil : "term \(term) has two leaders, \($0) and \(id)" }
  }

  /// A vote counts once it leaves its voter; a request for votes carries the candidate's own.
  mutating func noteVote(_ message: Message) -> String? {
    let (candidate, term): (UInt64, Term)
    switch message.body {
    case .requestVote(let request) where !request.isPreVote:
      (candidate, term) = (message.from.rawValue, request.campaignTerm)
    case .requestVoteReply(let reply) where !reply.isPreVote && reply.isGranted:
      (candidate, term) = (message.to.rawValue, reply.campaignTerm)
    default: return nil
    }
    let vote = Vote(voter: message.from.rawValue, term: term)
    defer { votes[vote] = candidate }
    return votes[vote].flatMap { earlier in
      earlier == candidate ? nil : "\(vote.voter) votes for \(earlier) and \(candidate) in term \(term)"
    }
  }

  /// Compares what the nodes hold as committed with what any of them ever did.
  mutating func compare(_ network: Network) -> [String] {
    var failures: [String] = []
    for (position, node) in network.nodes.enumerated() where !network.down.contains(position) {
      for entry in node.entries(after: node.baseIndex, through: node.commitIndex) ?? [] {
        let words = "\(ScriptWords.entry(entry.id)) \(ScriptWords.payload(entry))"
        let index = Int(entry.id.index.rawValue)
        while committed.count <= index { committed.append(nil) }
        if let earlier = committed[index], earlier != words, deviants.insert(node.id).inserted {
          failures.append("\(node.id.rawValue) has committed \(words), but \(earlier) was committed before")
        }
        committed[index] = committed[index] ?? words
      }
      for (range, next) in zip(network.applied[position], network.applied[position].dropFirst())
      where range.through != next.after && deviants.insert(node.id).inserted {
        failures.append("\(node.id.rawValue) applies after \(next.after) what follows \(range.through)")
      }
    }
    return failures
  }
}
