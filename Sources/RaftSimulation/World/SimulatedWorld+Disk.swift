import RaftCore
import RaftServer
import RaftStore

// Processes and their disks.

extension SimulatedWorld {
  /// Hands out what the driver wants of its store, and carries out what is due.
  ///
  /// - Returns: Whether the driver has learned something.
  func workDisk(_ slot: Int) -> Bool {
    let node = nodes[slot]
    while node.tasks.count < node.tasksMax, takeTask(slot) {}
    var hasProgress = false
    while let first = node.tasks.first, first.doneAt <= now, node.isRunning {
      node.tasks.removeFirst()
      guard let task = first.task.take() else { continue }
      do {
        let name = recorder.isOn ? task.name : ""
        let result = try task.perform(on: &node.store)
        note(result, at: slot)
        recorder.note(now, slot, .synced(text: name))
        node.process?.driver.didComplete(result)
        hasProgress = true
      } catch {
        didFail(slot, error)
        return false
      }
    }
    return hasProgress
  }

  /// Puts the driver's next task into the disk's queue. Returns whether there was one.
  private func takeTask(_ slot: Int) -> Bool {
    let node = nodes[slot]
    guard node.process?.driver.hasDiskTask() == true,
      let task = node.process?.driver.takeDiskTask(isDetached: true)
    else { return false }
    let entries = task.entries
    if !entries.isEmpty {
      node.process?.driver.withNode { core in safety.inspectWrite(entries, of: core) }
    }
    switch task.name {
    case "compact": coverage.count(.logCompacted)
    case "discard": coverage.count(.snapshotDiscarded)
    default: break
    }
    if recorder.isOn {
      let name = task.name
      recorder.note(now, slot, .wrote(text: name))
    }
    var tick = now + UInt64.random(in: 0...UInt64(plan.profile.diskTicksMax), using: &diskRandom)
    tick = max(tick, node.stalledUntil, node.tasks.last?.doneAt ?? 0)
    node.tasks.append(.init(task, doneAt: tick))
    if tick > now { wheel.schedule(.disk(slot, life: node.life), at: tick) }
    return true
  }

  private func note(_ result: borrowing DiskResult<Machine>, at slot: Int) {
    switch result {
    case .saved(let snapshot):
      coverage.count(.snapshotTaken)
      safety.inspectSnapshot(
        at: snapshot.last.index, fingerprint: snapshot.fingerprint, by: nodes[slot].id)
      recorder.note(now, slot, .snapshot(text: "taken through \(snapshot.last.index)"))
    case .flushed: coverage.count(.stateFlushed)
    case .persisted(_, let installed?) where installed.keepsState: coverage.count(.stateReplaced)
    case .received(_, let isSound):
      coverage.count(isSound ? .snapshotPieceStored : .snapshotPieceRefused)
    default: break
    }
  }

  /// A store failed: the process ends. It may have been made to; for no reason it must not.
  func didFail(_ slot: Int, _ error: StoreError) {
    let node = nodes[slot]
    coverage.count(node.device.isFull ? .processStoppedByFullDisk : .processStoppedByItsDisk)
    if !node.device.isDead, !node.device.isFull, !node.device.hasRot {
      report("store", "\(node.address): the store failed, and nothing is wrong with its disk: \(error)")
    }
    recorder.note(now, slot, .fault(text: "the disk fails: \(error)"))
    crash(slot)
  }

  /// A process ends at once. Something of what its disk was doing may have been done.
  func crash(_ slot: Int) {
    let node = nodes[slot]
    guard node.isRunning else { return }
    node.process = nil
    node.glance = nil
    recorder.note(now, slot, .crashed)
    for (position, pending) in node.tasks.enumerated() {
      guard let task = pending.task.take() else { continue }
      if position == 0, !node.device.isDead, Bool.random(using: &diskRandom) {
        node.device.fuse = Int.random(in: 0...4, using: &diskRandom)
        if let result = try? task.perform(on: &node.store) { result.abandon() }
      } else {
        task.abandon()
      }
    }
    node.tasks = []
    node.held = []
    node.pausedUntil = 0
    if node.device.crash(&diskRandom) > 0 { coverage.count(.unsyncedWritesLost) }
    breakLinks(of: slot)
    abandonClients(of: slot)
    if !isFinale || reachable.contains(slot) {
      wheel.schedule(.start(slot), at: now + UInt64.random(in: 1...200, using: &diskRandom))
    }
  }

  /// A process starts from what its disk holds; on an empty one it is a new incarnation, which has to be let in.
  func start(_ slot: Int) {
    let node = nodes[slot]
    guard node.isStopped, !isFinale || reachable.contains(slot) else { return }
    lastLife += 1
    node.life = lastLife
    node.wakeAt = .max
    node.toldAt = .max
    node.store = node.device.store()
    do {
      var found = try node.store.recover()
      let applier = try Applier.starting(from: blank, &found, in: &node.store)
      let recovered = try found ?? joining(slot)
      if let key = node.device.rottenKey {
        report("store", "\(node.address): the damaged record of key \(key) was not noticed")
      }
      node.isSuspect = false
      let driver = try Driver(
        id: node.id, boot: nodeRandom.next(), address: node.address, blank: blank, applier: applier,
        recovered: recovered, keepsLogBehindSnapshot: true, options: options, seed: nodeRandom.next(),
        now: node.moment(at: now), isTracing: true)
      let process = SimulatedNode<Machine>.Process(driver)
      node.process = process
      node.glance = process.driver.glance()
      node.configuration = process.driver.glance().configuration
      coverage.count(
        recovered.appliedIndex == .zero
          ? .startFromLog : recovered.snapshot == nil ? .startFromState : .startFromSnapshot)
      recorder.note(now, slot, .started(life: node.life))
      node.isDirty = true
    } catch let error as StoreError {
      didFailToStart(slot, error)
    } catch {
      report("store", "\(node.address) cannot start from its own disk: \(error)")
    }
  }

  private func didFailToStart(_ slot: Int, _ error: StoreError) {
    let node = nodes[slot]
    recorder.note(now, slot, .fault(text: "does not start: \(error)"))
    if node.device.hasRot, case .corrupt = error {
      // Somebody puts another disk in: what is damaged is fetched from the others.
      coverage.count(.startRefusedDamage)
      replaceDisk(slot)
    } else if !node.device.isFull {
      report("store", "\(node.address) cannot start from its own disk: \(error)")
    }
    wheel.schedule(.start(slot), at: now + 50)
  }

  /// What a node starts with that knows nothing: the cluster's configuration, as it was told to it.
  private func joining(_ slot: Int) throws -> RecoveredState<Bytes> {
    let told = leader.map { nodes[$0].configuration } ?? nodes[slot].configuration
    let state = RecoveredState<Bytes>(
      hardState: .initial, base: .zero,
      baseConfiguration: IndexedConfiguration(index: .zero, configuration: told),
      entries: [], commitIndex: .zero, appliedIndex: .zero)
    try nodes[slot].store.found(state)
    coverage.count(.startAsNewIncarnation)
    return state
  }

  /// The disk of a host is gone, and an empty one in its place.
  func replaceDisk(_ slot: Int) {
    let node = nodes[slot]
    node.device.erase()
    deadIncarnations.append(node.id)
    lastReplacement = now
    node.id = NodeID(nodeRandom.next() | 1)
    node.isSuspect = false
  }
}
