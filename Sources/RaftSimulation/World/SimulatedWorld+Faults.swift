import RaftCore
import RaftServer

// What happens to a simulated cluster.

extension SimulatedWorld {
  /// Lets happen what is due.
  func strike() {
    for node in nodes where node.fullUntil == now { node.device.isFull = false }
    while nextFault < schedule.count, schedule[nextFault].tick <= now {
      if !isFinale { happen(schedule[nextFault]) }
      nextFault += 1
    }
  }

  private func happen(_ fault: ScheduledFault) {
    var choice = RandomSource(seed: fault.choice)
    let slot = Int.random(in: nodes.indices, using: &choice)
    let hasHappened =
      fault.kind == .ambush
      ? layAmbush(&choice)
      : happenToProcess(fault.kind, slot, &choice) ?? happenToNetwork(fault.kind, slot, &choice)
        ?? happenToDisk(fault.kind, slot, &choice) ?? operate(fault.kind, slot, &choice)
    guard hasHappened else { return }
    coverage.count(fault.kind)
    hash.add(fault.choice)
    recorder.note(now, slot, .fault(text: description(of: fault.kind)))
  }

  private func description(of kind: FaultKind) -> String {
    switch kind {
    case .cut, .cutOneWay, .bridge, .isolate:
      let cuts = nodes.indices.flatMap { from in
        nodes.indices.filter { network.blocked[network.place(from, $0)] }.map { "\(from + 1) to \($0 + 1)" }
      }
      return "\(kind.rawValue): nothing goes from \(cuts.joined(separator: ", "))"
    case .ambush: return "somebody lies in wait"
    default: return kind.rawValue
    }
  }

  // MARK: - Processes

  /// Returns whether it has happened; nil if it is no matter of processes.
  private func happenToProcess(_ kind: FaultKind, _ slot: Int, _ choice: inout RandomSource) -> Bool? {
    let node = nodes[slot]
    switch kind {
    case .crash:
      guard node.isRunning else { return false }
      crash(slot)
    case .crashAll: for slot in nodes.indices { crash(slot) }
    case .crashInWrite:
      guard node.isRunning else { return false }
      node.device.fuse = Int.random(in: 0...8, using: &choice)
    case .stop:
      guard node.isRunning, node.pausedUntil <= now else { return false }
      tellTime(slot)
      _ = node.process?.driver.handOver()
      wheel.schedule(.end(slot, life: node.life), at: now + UInt64.random(in: 1...60, using: &choice))
    case .pause:
      guard node.isRunning else { return false }
      node.pausedUntil = max(node.pausedUntil, now + UInt64.random(in: 2...150, using: &choice))
      recorder.note(now, slot, .paused(until: node.pausedUntil))
      wheel.schedule(.wake(slot, life: node.life), at: node.pausedUntil)
    case .slow: node.slowUntil = now + UInt64.random(in: 20...400, using: &choice)
    case .clockJump:
      guard !allowsLeases else { return false }
      node.offset += UInt64.random(in: 1...400, using: &choice)
      node.toldAt = .max
    case .wallJump:
      node.wallError += Int64.random(in: -5_000_000...5_000_000, using: &choice)
      node.toldAt = .max
    default: return nil
    }
    return true
  }

  // MARK: - The network

  private func happenToNetwork(_ kind: FaultKind, _ slot: Int, _ choice: inout RandomSource) -> Bool? {
    switch kind {
    case .breakLink, .flap:
      guard nodes.count > 1 else { return false }
      let other = (slot + Int.random(in: 1..<nodes.count, using: &choice)) % nodes.count
      flap(slot, other, left: kind == .flap ? Int.random(in: 2...8, using: &choice) : 0)
    case .cut, .cutOneWay, .bridge, .isolate:
      guard nodes.count > (kind == .bridge ? 2 : 1) else { return false }
      part(kind, slot, &choice)
    case .lossBurst: network.burstUntil = now + UInt64.random(in: 20...300, using: &choice)
    case .garble: network.garblesNextPiece = true
    case .heal:
      guard network.blocked.contains(true) else { return false }
      network.heal()
    default: return nil
    }
    return true
  }

  private func part(_ kind: FaultKind, _ slot: Int, _ choice: inout RandomSource) {
    network.heal()
    let sides = nodes.indices.map { kind == .isolate ? $0 == slot : Bool.random(using: &choice) }
    for from in nodes.indices {
      for to in nodes.indices where from != to && sides[from] != sides[to] {
        if kind == .bridge, from == slot || to == slot { continue }
        // What one side says is not heard, but it hears.
        if kind == .cutOneWay, sides[from] { continue }
        network.blocked[network.place(from, to)] = true
      }
    }
    // A cut may leave connections standing that carry nothing, or break them.
    guard Bool.random(using: &choice) else { return }
    for from in nodes.indices {
      for to in nodes.indices where from != to && network.blocked[network.place(from, to)] {
        breakLink(from, to)
        breakLink(to, from)
      }
    }
  }

  // MARK: - Disks

  private func happenToDisk(_ kind: FaultKind, _ slot: Int, _ choice: inout RandomSource) -> Bool? {
    let node = nodes[slot]
    switch kind {
    case .diskStall: node.stalledUntil = now + UInt64.random(in: 20...600, using: &choice)
    case .diskFull:
      node.device.isFull = true
      node.fullUntil = now + UInt64.random(in: 20...400, using: &choice)
    case .syncFailure:
      guard node.isRunning else { return false }
      node.device.failsNextSync = true
    case .writeFailure:
      guard node.isRunning else { return false }
      node.device.fuse = Int.random(in: 0...2, using: &choice)
    case .rot:
      guard canLose(slot), node.device.rot(&choice) else { return false }
      node.isSuspect = true
      wheel.schedule(.end(slot, life: node.life), at: now + UInt64.random(in: 1...100, using: &choice))
    case .diskLoss:
      guard canLose(slot) else { return false }
      crash(slot)
      replaceDisk(slot)
    default: return nil
    }
    return true
  }

  /// Whether what a host has stored may be lost: those who lost what they had stay a minority. More than that no protocol survives.
  private func canLose(_ slot: Int) -> Bool {
    guard let configuration = settledConfiguration else { return false }
    let lost = configuration.voters.count { voter in
      voter == nodes[slot].id || !nodes.contains { $0.id == voter && !$0.isSuspect }
    }
    return lost <= (configuration.voters.count - 1) / 2
  }
}
