import RaftCore
import RaftServer
import RaftTransport

// Frames and connections.

extension SimulatedWorld {
  /// Sends frames on the connection to another host.
  func send(_ bytes: Bytes, _ trafficClass: TrafficClass, from: Int, to: Int) {
    let place = network.place(from, to)
    if network.links[place].hasHole, !network.blocked[place] { breakLink(from, to) }
    guard network.links[place].isUp else { return }
    var decoder = FrameDecoder(frameBytesMax: 64 << 20)
    decoder.append(bytes)
    do {
      while let frame = try decoder.next() {
        guard frame.header.target == nodes[to].id else { continue }
        send(frame, trafficClass, from: from, to: to)
      }
    } catch {
      report("driver", "\(nodes[from].address) sent a frame that cannot be read: \(error)")
    }
  }

  private func send(_ frame: Frame, _ trafficClass: TrafficClass, from: Int, to: Int) {
    let place = network.place(from, to)
    lastMessage += 1
    let number = lastMessage
    noteSent(frame, number, from: from, to: to)
    let isMessage = frame.header.kind == .message
    let tag = keepsMessages && isMessage ? promisingTag(of: frame) : nil
    if let tag { keep(frame, tag: tag, from: from, to: to) }
    guard !network.blocked[place] else {
      if !isMessage { network.links[place].hasHole = true }
      return recorder.note(now, from, .lost(message: number))
    }
    let generation = network.links[place].generation
    let event = SimulatedEvent.frame(
      frame, from: from, to: to, number: number, generation: generation, life: nodes[to].life)
    var tick = now + 1 + UInt64.random(in: 0...UInt64(network.delayTicksMax), using: &networkRandom)
    if nodes[to].slowUntil > now || nodes[from].slowUntil > now {
      tick += UInt64.random(in: 3...25, using: &networkRandom)
    }
    guard isMessage else {
      // In order.
      let position = trafficClass == .consensus ? 0 : 1
      tick = max(tick, network.links[place].lastArrival[position])
      network.links[place].lastArrival[position] = tick
      return wheel.schedule(event, at: tick)
    }
    if let tag, !ambushes.isEmpty, let fate = waylay(.sending(tag), of: from, other: to) {
      wheel.schedule(.late(frame, from: from, to: to, number: number), at: now + fate.late)
      if fate.isOnlyLate { return }
    }
    let loss = network.burstUntil > now ? 300 : network.lossPerMille
    let draw = Int.random(in: 0..<1000, using: &networkRandom)
    if draw < loss { return recorder.note(now, from, .lost(message: number)) }
    if draw >= 1000 - network.duplicatePerMille {
      wheel.schedule(event, at: now + 1 + UInt64.random(in: 0...60, using: &networkRandom))
    }
    wheel.schedule(event, at: tick)
  }

  private func noteSent(_ frame: Frame, _ number: UInt64, from: Int, to: Int) {
    guard recorder.isOn else { return }
    var text = "forward"
    if frame.header.kind == .message, let received = try? MessageCodec.decode(frame) {
      text = "\(received.message.body)"
    } else if frame.header.kind == .forwardReply {
      text = "forward reply"
    }
    let term = nodes[from].glance?.term.rawValue ?? 0
    recorder.note(now, from, .sent(message: number, to: to, text: text, term: term))
  }

  /// What kind of message a frame holds.
  private func tag(of frame: Frame) -> UInt8? {
    let position = frame.bodyRange.lowerBound + 8
    return position < frame.bodyRange.upperBound ? frame.buffer[position] : nil
  }

  /// The same, but nil for a pre-vote and an answer to one, which promise nothing.
  private func promisingTag(of frame: Frame) -> UInt8? {
    guard let tag = tag(of: frame) else { return nil }
    guard tag < 3 else { return tag }
    var reader = frame.bodyReader()
    guard (try? reader.readUInt64()) != nil, let body = try? Message.Body(from: &reader) else { return nil }
    return switch body {
    case .requestVote(let request): request.isPreVote ? nil : tag
    case .requestVoteReply(let reply): reply.isPreVote ? nil : tag
    default: tag
    }
  }

  func deliver(_ frame: Frame, from: Int, to: Int, number: UInt64) {
    tellTime(to)
    recorder.note(now, to, .arrived(message: number, from: from))
    hash.add(now << 16 ^ UInt64(from) << 8 ^ UInt64(to))
    hash.add(UInt64(frame.header.bodyBytes) << 32 | UInt64(frame.header.kind.rawValue))
    if frame.header.kind == .message {
      nodes[to].heardAt[from] = now
      let tag = tag(of: frame) ?? 0
      coverage.count(messageTag: tag)
      hash.add(UInt64(tag))
      if tag == 3 || tag == 4 { noteAppend(frame, to: to) }
      if !ambushes.isEmpty, let tag = promisingTag(of: frame) { waylay(.receiving(tag), of: to, other: from) }
    } else if frame.header.kind == .forward {
      coverage.count(.clientWriteForwarded)
    }
    // The handshake has told both sides who the other is.
    nodes[to].process?.driver.receive(garbled(frame) ?? frame, from: frame.header.sender)
  }

  /// The frame with another last byte, if it is the piece of a snapshot that is to arrive so; its bytes come last.
  private func garbled(_ frame: Frame) -> Frame? {
    guard network.garblesNextPiece, frame.header.kind == .message, frame.header.trafficClass == .bulk,
      let last = frame.bodyRange.last
    else { return nil }
    network.garblesNextPiece = false
    var buffer = frame.buffer
    buffer[last] ^= 0x40
    return Frame(header: frame.header, buffer: buffer, bodyRange: frame.bodyRange)
  }

  /// Which branch an append, or the answer to one, takes.
  private func noteAppend(_ frame: Frame, to: Int) {
    var reader = frame.bodyReader()
    guard let node = nodes[to].glance, let term = try? reader.readUInt64(),
      let body = try? Message.Body(from: &reader)
    else { return }
    switch body {
    case .appendEntries(let request):
      if term < node.term.rawValue {
        coverage.count(.appendOfOlderTerm)
      } else if request.previous.index < node.baseIndex {
        coverage.count(.appendBeforeTheLogsBeginning)
      } else if request.count > 0, request.lastIndex <= node.lastEntry.index,
        request.entriesTerm == node.lastEntry.term
      {
        coverage.count(.appendRepeated)
      }
    case .appendEntriesReply(.rejected):
      if node.isLeader { coverage.count(.appendRejectionAtLeader) }
    default: break
    }
  }

  // MARK: - Connections

  /// Dials if the connection is down; as long as it fails, again after a while.
  func dial(_ from: Int, _ to: Int) {
    let place = network.place(from, to)
    guard !network.links[place].isUp else { return }
    let canReach =
      nodes[from].isRunning && nodes[to].isRunning && nodes[to].pausedUntil <= now
      && !network.blocked[place] && !network.blocked[network.place(to, from)]
    guard canReach else {
      return wheel.schedule(
        .dial(from: from, to: to), at: now + UInt64.random(in: 4...20, using: &networkRandom))
    }
    network.links[place].isUp = true
    network.links[place].hasHole = false
    for trafficClass in TrafficClass.allCases {
      wheel.schedule(
        .link(.up, of: from, peer: nodes[to].id, trafficClass, life: nodes[from].life), at: now + 1)
    }
  }

  /// Breaks the connection from one host to another, with everything on its way in it.
  func breakLink(_ from: Int, _ to: Int) {
    let place = network.place(from, to)
    guard network.links[place].isUp else { return }
    network.links[place].isUp = false
    network.links[place].hasHole = false
    network.links[place].generation += 1
    let tick = now + 1 + UInt64.random(in: 0...3, using: &networkRandom)
    for trafficClass in TrafficClass.allCases {
      wheel.schedule(
        .link(.down, of: from, peer: nodes[to].id, trafficClass, life: nodes[from].life), at: tick)
      wheel.schedule(
        .link(.inboundDown, of: to, peer: nodes[from].id, trafficClass, life: nodes[to].life), at: tick)
    }
    let redial = tick + UInt64.random(in: 1...8, using: &networkRandom)
    wheel.schedule(.dial(from: from, to: to), at: redial)
  }

  /// Breaks all connections of a host.
  func breakLinks(of slot: Int) {
    for other in nodes.indices where other != slot {
      breakLink(slot, other)
      breakLink(other, slot)
    }
  }

  func flap(_ from: Int, _ to: Int, left: Int) {
    breakLink(from, to)
    guard left > 0 else { return }
    wheel.schedule(
      .flap(from: from, to: to, left: left - 1), at: now + UInt64.random(in: 5...30, using: &networkRandom))
  }
}
