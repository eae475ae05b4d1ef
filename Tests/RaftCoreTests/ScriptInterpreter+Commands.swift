import RaftCore

// The commands, by what they act on. Each function says whether the verb was one of its own.
extension ScriptInterpreter {
  // MARK: - The cluster and its links

  mutating func performOnCluster(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    switch verb {
    case "options": for word in command.words() { try setOption(word) }
    case "nodes": try found(&command)
    case "newcomer": try network.addNewcomer(try command.number("node"), options: options)
    case "partition": try partition(command.words())
    case "cut":
      for word in command.words() {
        guard case (let from?, let to?)? = try ScriptSelector.ends(word) else {
          throw ScriptError(description: "'\(word)' is no link")
        }
        cuts.append((from, to))
      }
    case "links": try keep(links: command.words())
    case "heal": cuts = []
    default: return false
    }
    return true
  }

  private mutating func setOption(_ word: String) throws {
    let parts = word.split(separator: "=").map(String.init)
    guard parts.count == 2, let value = Int(parts[1]), !isFounded else {
      throw ScriptError(description: "'\(word)' is no option; options stand before 'nodes', as name=number")
    }
    switch parts[0] {
    case "messageBytesMax": options.messageBytesMax = value
    case "messageEntriesMax": options.messageEntriesMax = value
    case "inflightMessagesMax": options.inflightMessagesMax = value
    case "inflightBytesMax": options.inflightBytesMax = value
    case "uncommittedBytesMax": options.uncommittedBytesMax = value
    case "snapshotChunkBytes": options.snapshotChunkBytes = value
    case "snapshotInflightChunksMax": options.snapshotInflightChunksMax = value
    case "snapshotRetryTicks": options.snapshotRetryTicks = value
    case "writeOverdueTicks": options.writeOverdueTicks = value
    case "applyBytesMax": applyBytesMax = value
    case "pendingReadsMax": options.pendingReadsMax = value
    default: throw ScriptError(description: "scripts cannot set \(parts[0])")
    }
    options = try options.validated()
  }

  /// `nodes 3`, or `nodes 3 terms [1,1,2] [1] [] term 4`: the terms of each log behind the founding entry.
  private mutating func found(_ command: inout ScriptCommand) throws {
    let count = Int(try command.number("number of nodes"))
    if command.take("terms") {
      var logs: [[UInt64]] = []
      while logs.count < count {
        let list = try command.word("list of terms")
        guard list.hasPrefix("["), list.hasSuffix("]") else {
          throw ScriptError(description: "'\(list)' is no list of terms")
        }
        logs.append(try list.dropFirst().dropLast().split(separator: ",").flatMap { try terms(String($0)) })
      }
      guard command.take("term") else {
        throw ScriptError(description: "'term' and the nodes' term are missing")
      }
      network = try Network(terms: logs, currentTerm: try command.number("term"), options: options)
    } else {
      network = try Network(count, options: options)
    }
    network.applyBytesMax = applyBytesMax
    isFounded = true
  }

  /// A term, or `2*10`: ten entries of term 2.
  private func terms(_ word: String) throws -> [UInt64] {
    let numbers = word.split(separator: "*").map { UInt64($0) }
    guard numbers.count <= 2, let term = numbers.first ?? nil, let count = numbers.count == 2 ? numbers[1] : 1
    else {
      throw ScriptError(description: "'\(word)' is no term")
    }
    return [UInt64](repeating: term, count: Int(count))
  }

  /// `partition 1 2 | 3`: only nodes of one group hear each other; a node in no group hears nobody.
  private mutating func partition(_ words: [String]) throws {
    let groups = try words.split(separator: "|").map { group in
      try group.map { word in
        guard let id = UInt64(word) else { throw ScriptError(description: "'\(word)' is no node") }
        return network.nodes[try position(of: id)].id.rawValue
      }
    }
    keep { from, to in groups.contains { $0.contains(from) && $0.contains(to) } }
  }

  /// `links 1-2 2-3`: messages pass between these pairs, and nowhere else.
  private mutating func keep(links words: [String]) throws {
    let links = try words.map { word in
      let ends = word.split(separator: "-").compactMap { UInt64($0) }
      guard ends.count == 2 else { throw ScriptError(description: "'\(word)' is no pair of nodes") }
      return ends
    }
    keep { from, to in links.contains([from, to]) || links.contains([to, from]) }
  }

  private mutating func keep(_ passes: (UInt64, UInt64) -> Bool) {
    let ids = network.nodes.map(\.id.rawValue)
    cuts = ids.flatMap { from in ids.filter { !passes(from, $0) }.map { (from, $0) } }
  }

  // MARK: - Time

  mutating func performOnTime(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    switch verb {
    case "tick", "run":
      let some = try nodes(&command)
      for _ in 0..<(try command.number("number of ticks")) {
        for position in some where !network.down.contains(position) { tick(position) }
        if verb == "run" { try deliver(try ScriptSelector([]), isQuiet: true) }
      }
    case "jump", "rewind":
      let position = try node(&command)
      let (now, ticks) = (network.clocks[position].rawValue, try command.number("number of ticks"))
      network.clocks[position] = Ticks(verb == "jump" ? now + ticks : now - min(now, ticks))
    case "timeout":
      let position = try node(&command)
      try wait(
        for: position, until: { $0.role == .preCandidate || $0.role == .candidate }, isDelivering: false)
    case "elect":
      let position = try node(&command)
      try wait(for: position, until: { $0.isLeader }, isDelivering: true)
      try deliver(try ScriptSelector([]))
    default: return false
    }
    return true
  }

  /// Lets only one node's clock run until something has come of it.
  private mutating func wait(
    for position: Int, until isDone: (RaftNode<String>) -> Bool, isDelivering: Bool
  ) throws {
    for _ in 0..<10_000 {
      tick(position)
      if isDelivering { try deliver(try ScriptSelector([]), isQuiet: true) }
      if isDone(network.nodes[position]) { return }
    }
    throw ScriptError(description: "node \(network.nodes[position].id.rawValue) never got there")
  }

  // MARK: - Messages

  mutating func performOnMessages(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    switch verb {
    case "deliver": try deliver(try ScriptSelector(command.words()))
    case "drop": for packet in take(try ScriptSelector(command.words())) { note(packet, "is lost") }
    case "duplicate":
      let selector = try ScriptSelector(command.words())
      network.packets += Array(network.packets.filter { selector.matches($0.message) }.prefix(selector.count))
    case "delay":
      let name = try command.word("name")
      let packets = take(try ScriptSelector(command.words()))
      guard !packets.isEmpty else { throw ScriptError(description: "there is nothing to delay") }
      for packet in packets { note(packet, "is late") }
      aside.append((name, packets))
    case "release":
      let name = try command.word("name")
      guard let place = aside.firstIndex(where: { $0.name == name }) else {
        throw ScriptError(description: "nothing was delayed as '\(name)'")
      }
      network.packets += aside.remove(at: place).packets
    case "say": deliver(try ScriptMessage(command.words()).packet)
    case "connection-lost":
      let position = try node(&command)
      let peer = network.nodes[try node(&command)].id
      act(on: position) { network in network.input(position) { $0.connectionLost(to: peer, into: &$1) } }
    default: return false
    }
    return true
  }

  private mutating func take(_ selector: ScriptSelector) -> [Network.Packet] {
    var taken: [Network.Packet] = []
    network.packets.removeAll { packet in
      guard taken.count < selector.count, selector.matches(packet.message) else { return false }
      taken.append(packet)
      return true
    }
    return taken
  }

  private mutating func note(_ packet: Network.Packet, _ fate: String) {
    lines.append("\(ScriptWords.line(packet.message)) \(fate)")
  }

  // MARK: - What a leader is asked for

  mutating func performOnMembership(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    switch verb {
    case "change":
      let position = try node(&command)
      var changes: [ConfigurationChange] = []
      while !command.isAtEnd { changes.append(try change(&command)) }
      var refusal: String?
      act(on: position) { network in
        do {
          try network.change(changes, at: position)
        } catch {
          refusal = (error as? ConfigurationChangeError).map(ScriptWords.words) ?? "\(error)"
        }
      }
      answer(refusal, at: position)
    case "step-down":
      let position = try node(&command)
      act(on: position) { network in network.input(position) { $0.stepDown(into: &$1) } }
    default: return false
    }
    return true
  }

  /// `add 4`, `promote 4`, `demote 2`, `remove 3`, `prefer 3`, `leases on`.
  private func change(_ command: inout ScriptCommand) throws -> ConfigurationChange {
    let verb = try command.word("change")
    if verb == "leases" { return .useLeaseReads(try command.word("on or off") == "on") }
    let id = NodeID(try command.number("node"))
    switch verb {
    case "add": return .addLearner(Member(id: id, address: "n\(id.rawValue)", store: .durable))
    case "promote": return .promote(id)
    case "demote": return .demote(id)
    case "remove": return .remove(id)
    case "prefer":
      return .update(Member(id: id, address: "n\(id.rawValue)", store: .durable, priority: 9))
    default: throw ScriptError(description: "'\(verb)' changes nothing")
    }
  }

  mutating func performOnLeadership(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    switch verb {
    case "propose":
      let position = try node(&command)
      for payload in try payloads(&command) { propose(payload, at: position) }
    case "read":
      let position = try node(&command)
      readCount += 1
      let read = ReadID(boot: 1, number: readCount)
      act(on: position) { network in network.input(position) { $0.readIndex(read, into: &$1) } }
    case "transfer":
      let position = try node(&command)
      let target = network.nodes[try node(&command)].id
      var refusal: TransferError?
      act(on: position) { network in
        network.input(position) { node, outputs in
          do throws(TransferError) {
            try node.transferLeadership(to: target, into: &outputs)
          } catch {
            refusal = error
          }
        }
      }
      answer(refusal.map(ScriptWords.words), at: position)
    default: return false
    }
    return true
  }

  /// Payloads; `x*40` is one of 40 bytes.
  private func payloads(_ command: inout ScriptCommand) throws -> [String] {
    let words = command.words()
    guard !words.isEmpty else { throw ScriptError(description: "what to propose is missing") }
    return words.map { word in
      let parts = word.split(separator: "*")
      guard parts.count == 2, let size = Int(parts[1]) else { return word }
      return String(repeating: String(parts[0]), count: size)
    }
  }

  private mutating func propose(_ payload: String, at position: Int) {
    var refusal: String?
    act(on: position) { network in
      do {
        try network.propose(payload, at: position)
      } catch {
        refusal = (error as? ProposeError).map(ScriptWords.words) ?? "\(error)"
      }
    }
    answer(refusal, at: position)
  }

  private mutating func answer(_ refusal: String?, at position: Int) {
    lastOutcome = refusal ?? "accepted"
    if let refusal { lines.append("  \(network.nodes[position].id.rawValue) refuses: \(refusal)") }
  }

  // MARK: - Disks

  mutating func performOnDisk(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    let verbs = ["stall", "resume", "persist", "crash", "restart", "compact", "snapshot"]
    guard verbs.contains(verb) else { return false }
    let position = try node(&command)
    switch verb {
    case "stall": network.stalled.insert(position)
    case "resume":
      network.stalled.remove(position)
      act(on: position) { $0.completeWrites(position) }
    case "persist":
      let count = command.isAtEnd ? Int.max : Int(try command.number("number of writes"))
      act(on: position) { $0.completeWrites(position, count: count) }
    case "crash": network.crash(position)
    case "restart":
      network.stalled.remove(position)
      try act(on: position) { try $0.restart(position) }
    case "snapshot":
      let bytes = command.isAtEnd ? 100 : try command.number("number of bytes")
      act(on: position) { $0.snapshot(position, bytes: bytes) }
    default: network.compact(position, through: LogIndex(try command.number("index")))
    }
    return true
  }
}
