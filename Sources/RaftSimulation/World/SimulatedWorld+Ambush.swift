import RaftCore
import RaftServer
import RaftTransport

// What happens to a simulated cluster at the worst moment.

extension SimulatedWorld {
  /// So many ambushes are laid at the same time at most.
  private static var ambushesMax: Int { 8 }

  /// Lies in wait. Half of the time the disk of whoever is lain in wait for is slow meanwhile, so that much is not synced
  /// yet when it comes to the worst.
  func layAmbush(_ choice: inout RandomSource) -> Bool {
    ambushes.removeAll { $0.until <= now }
    guard ambushes.count < Self.ambushesMax else { return false }
    let ambush = Ambush(now: now, count: nodes.count, &choice)
    if let slot = ambush.slot, Bool.random(using: &choice) {
      nodes[slot].stalledUntil = now + UInt64.random(in: 5...150, using: &choice)
    }
    ambushes.append(ambush)
    return true
  }

  /// Looks whether somebody lies in wait for this.
  ///
  /// - Returns: What becomes of the message, if it is one that is being sent: the ticks after which it arrives as well,
  ///   and whether it does only then.
  @discardableResult
  func waylay(_ occasion: Ambush.Occasion, of actor: Int, other: Int?) -> (late: UInt64, isOnlyLate: Bool)? {
    guard !isFinale,
      let position = ambushes.firstIndex(where: {
        $0.occasion == occasion && $0.until > now && ($0.slot ?? actor) == actor
      })
    else { return nil }
    var ambush = ambushes.remove(at: position)
    hash.add(UInt64(position) << 8 | UInt64(actor))
    recorder.note(now, actor, .fault(text: "ambush: \(ambush.deed)"))
    switch ambush.deed {
    case .crash: crashSoon(actor, &ambush.random)
    case .crashOther: crashSoon(other ?? actor, &ambush.random)
    case .crashBoth:
      crashSoon(actor, &ambush.random)
      if let other { crashSoon(other, &ambush.random) }
    case .delay: return (UInt64.random(in: 10...900, using: &ambush.random), true)
    case .double: return (UInt64.random(in: 10...900, using: &ambush.random), false)
    case .isolate: cut(nodes.indices.map { $0 == actor }, &ambush.random)
    case .cut:
      cut(
        nodes.indices.map { $0 == actor || $0 == other || Int.random(in: 0..<3, using: &ambush.random) == 0 },
        &ambush.random)
    case .cutHalves: cutHalves(&ambush.random)
    case .mend: network.heal()
    case .pause:
      nodes[actor].pausedUntil = max(
        nodes[actor].pausedUntil, now + UInt64.random(in: 2...100, using: &ambush.random))
      wheel.schedule(.wake(actor, life: nodes[actor].life), at: nodes[actor].pausedUntil)
    case .crashAndRecall:
      recall(to: actor, at: crashSoon(actor, &ambush.random), &ambush.random)
    case .recall: recall(to: nil, at: now, &ambush.random)
    case .lossBurst: network.burstUntil = now + UInt64.random(in: 3...60, using: &ambush.random)
    }
    return nil
  }

  /// Returns when it is back.
  @discardableResult
  private func crashSoon(_ slot: Int, _ random: inout RandomSource) -> UInt64 {
    let tick = now + UInt64.random(in: 1...4, using: &random)
    let back = tick + UInt64.random(in: 1...8, using: &random)
    wheel.schedule(.end(slot, life: nodes[slot].life), at: tick)
    wheel.schedule(.start(slot), at: back)
    return back
  }

  /// Keeps a message, to have it arrive again.
  func keep(_ frame: Frame, tag: UInt8, from: Int, to: Int) {
    guard tag < 16, Ambush.tagsKept[Int(tag)] else { return }
    if lately.count < 96 {
      lately.append((frame, from, to))
    } else {
      lately[latelyNext] = (frame, from, to)
      latelyNext = (latelyNext + 1) % lately.count
    }
  }

  private func recall(to slot: Int?, at tick: UInt64, _ random: inout RandomSource) {
    for (frame, from, to) in lately where to == slot ?? to && Int.random(in: 0..<3, using: &random) > 0 {
      wheel.schedule(
        .late(frame, from: from, to: to, number: lastMessage),
        at: tick + UInt64.random(in: 1...30, using: &random))
    }
  }

  /// Parts the nodes in two until something else parts them, or for a while.
  private func cut(_ sides: [Bool], _ random: inout RandomSource) {
    network.heal()
    // Broken connections make followers campaign at once, while their leader still takes itself for one.
    let breaks = Bool.random(using: &random)
    for from in nodes.indices {
      for to in nodes.indices where from != to && sides[from] != sides[to] {
        network.blocked[network.place(from, to)] = true
        if breaks { breakLink(from, to) }
      }
    }
    cuts += 1
    // Often it ends just when others begin to campaign.
    let timeout = UInt64(options.raft.electionTimeoutTicksMin)
    let length = Bool.random(using: &random) ? timeout - 4...timeout + 12 : 5...250
    wheel.schedule(.mend(cut: cuts), at: now + UInt64.random(in: length, using: &random))
  }

  /// Parts the voters that come from those that go; who stays is on either side.
  private func cutHalves(_ random: inout RandomSource) {
    guard
      let joint = nodes.lazy.compactMap({ $0.glance?.configuration }).first(where: { $0.isJoint })
    else { return }
    let sides = nodes.map { node in
      let (comes, goes) = (joint.voters.contains(node.id), joint.outgoingVoters.contains(node.id))
      return comes == goes ? Bool.random(using: &random) : comes
    }
    cut(sides, &random)
  }
}
