import RaftCore
import RaftServer

// What clients do.

extension SimulatedWorld {
  /// A client goes on: with the operation that it has to repeat, or with the next one.
  func act(_ client: Int) {
    if let operation = clients[client].operation {
      // Without a session, what is under way must not be asked for again.
      if operation.attempts.isEmpty { attempt(client) }
      return
    }
    guard !isFinale || isServing else { return }
    begin(client)
    attempt(client)
  }

  private func begin(_ client: Int) {
    // Now and then a client forgets its session, as one that is started anew does.
    if Int.random(in: 0..<50, using: &clientRandom) == 0 { clients[client].session = 0 }
    if clients[client].usesSession, clients[client].session == 0 {
      clients[client].operation = .init(kind: .open, record: nil, floor: reference.answered)
      return
    }
    let operation = nextOperation(client, &clientRandom)
    var record = RecordedOperation<Machine>(client: client, operation: operation, start: now)
    let kind: SimulatedClient<Machine>.Operation.Kind
    switch operation {
    case .read(let query):
      kind = .read(query)
      reference.begin(read: operations.count, query)
    case .write(let command):
      var stamp = SessionStamp.none
      if clients[client].usesSession {
        clients[client].lastSequence += 1
        let sequence = clients[client].lastSequence
        stamp = SessionStamp(
          session: clients[client].session, sequence: sequence, lowestUnacknowledged: sequence)
        record.command = (stamp.session, sequence)
      }
      kind = .write(command.encoded(), stamp)
    }
    clients[client].operation = .init(kind: kind, record: operations.count, floor: reference.answered)
    operations.append(record)
  }

  /// Asks a node; which one, is drawn.
  private func attempt(_ client: Int) {
    guard var operation = clients[client].operation,
      let slot = reachable.randomElement(using: &clientRandom)
    else { return }
    let node = nodes[slot]
    guard node.isRunning, node.pausedUntil <= now else { return comeBack(client, within: 20) }
    operation.tries += 1
    tellTime(slot)
    let limit = UInt64.random(in: 30...400, using: &clientRandom)
    let deadline = node.ticks(at: now) + Int(limit)
    let ticket: UInt64?
    switch operation.kind {
    case .open:
      ticket = node.process?.driver.submit(.openSession, session: .none, operation: [], deadline: deadline)
    case .write(let command, let stamp):
      ticket = node.process?.driver.submit(.command, session: stamp, operation: command, deadline: deadline)
    case .read(let query): ticket = node.process?.driver.submit(query, deadline: deadline)
    }
    if let ticket { operation.attempts.append((slot, node.life, ticket)) }
    operation.lastSlot = slot
    clients[client].operation = operation
    if let record = operation.record {
      recorder.note(
        now, slot, .asked(client: client, operation: UInt64(record), text: "\(operations[record].operation)"))
      if Int.random(in: 0..<20, using: &clientRandom) == 0 {
        wheel.schedule(.impatience(client, operation: record), at: now + limit / 3 + 1)
      }
    }
  }

  private func comeBack(_ client: Int, within ticks: UInt64) {
    wheel.schedule(.client(client), at: now + UInt64.random(in: 1...max(1, ticks), using: &clientRandom))
  }

  /// A client does not wait any longer, and asks another node for the same.
  func repeatImpatiently(_ client: Int, _ record: Int) {
    guard let operation = clients[client].operation, operation.record == record, !operation.attempts.isEmpty,
      clients[client].usesSession
    else { return }
    attempt(client)
  }

  // MARK: - Endings

  /// An attempt has ended.
  func finish(_ completion: Completion<Machine>, at slot: Int) {
    let life = nodes[slot].life
    let ticket: UInt64 =
      switch completion {
      case .read(let ticket, _), .write(let ticket, _): ticket
      }
    guard
      let client = clients.firstIndex(where: { client in
        client.operation?.attempts.contains { $0 == (slot, life, ticket) } ?? false
      })
    else {
      // Nobody asked, or the client has its answer from another node: then it is the end of a change of members.
      if case .write(_, .failure(.notExecuted(.leadershipLost))) = completion,
        changeTickets.contains(where: { $0 == (slot, life, ticket) })
      {
        coverage.count(.membershipChangeOverwritten)
      }
      return
    }
    clients[client].operation?.attempts.removeAll { $0 == (slot, life, ticket) }
    switch completion {
    case .read(_, .success(let answer)): didRead(client, answer)
    case .write(_, .success(.outcome(let outcome))): didWrite(client, outcome)
    case .write(_, .success(.opened(let session))): didOpen(client, session)
    case .write(_, .success): break
    case .read(_, .failure):
      coverage.count(.clientReadFailed)
      failed(client, isUncertain: false)
    case .write(_, .failure(.unknown(.sessionExpired))): didExpire(client)
    case .write(_, .failure(.unknown)):
      coverage.count(.clientUnknown)
      failed(client, isUncertain: true)
    case .write(_, .failure(.notExecuted)):
      coverage.count(.clientNotExecuted)
      failed(client, isUncertain: false)
    }
  }

  private func didOpen(_ client: Int, _ session: UInt64) {
    coverage.count(.clientSessionOpened)
    clients[client].session = session
    clients[client].lastSequence = 0
    end(client, .unknown)
  }

  private func didRead(_ client: Int, _ answer: Machine.Answer) {
    guard let operation = clients[client].operation, let record = operation.record else { return }
    coverage.count(.clientReadAnswered)
    var faults: [String] = []
    reference.judge(read: record, answer: answer, floor: operation.floor) { faults.append($0) }
    for fault in faults { report("current reads", fault) }
    end(client, .read(answer))
  }

  private func didWrite(_ client: Int, _ outcome: Machine.Outcome) {
    guard let operation = clients[client].operation, let record = operation.record else { return }
    coverage.count(.clientWriteAnswered)
    if operation.tries > 1 { coverage.count(.clientRetryAnsweredFromTheTable) }
    if let command = operations[record].command {
      var faults: [String] = []
      reference.judge(
        .init(session: command.session, sequence: command.sequence), outcome: outcome,
        floor: operation.floor
      ) { faults.append($0) }
      for fault in faults { report("answers", fault) }
    }
    end(client, .written(outcome))
  }

  private func didExpire(_ client: Int) {
    coverage.count(.clientSessionExpired)
    clients[client].session = 0
    end(client, .unknown)
  }

  /// An attempt failed. Unless another one is under way, the client repeats it or gives up.
  private func failed(_ client: Int, isUncertain: Bool) {
    guard var operation = clients[client].operation else { return }
    operation.isUncertain = operation.isUncertain || isUncertain
    clients[client].operation = operation
    guard operation.attempts.isEmpty else { return }
    let mayRepeat: Bool
    switch operation.kind {
    case .open, .read: mayRepeat = true
    case .write: mayRepeat = clients[client].usesSession
    }
    // A client that knows that nothing has happened may as well leave it at that.
    let givesUp = !operation.isUncertain && Int.random(in: 0..<3, using: &clientRandom) == 0
    if mayRepeat, operation.tries < 60, !givesUp { return comeBack(client, within: 30) }
    end(client, operation.isUncertain ? .unknown : .notExecuted)
  }

  private func end(_ client: Int, _ ending: RecordedOperation<Machine>.Ending) {
    guard let operation = clients[client].operation else { return }
    clients[client].operation = nil
    if let record = operation.record {
      operations[record].end = now
      operations[record].ending = ending
      if case .read = operation.kind { reference.forget(read: record) }
      recorder.note(
        now, operation.lastSlot,
        .answered(client: client, operation: UInt64(record), text: "\(ending)"))
    }
    comeBack(client, within: plan.thinkTicksMax)
  }

  /// The clients of a process that died get no answer.
  func abandonClients(of slot: Int) {
    for client in clients.indices {
      guard let operation = clients[client].operation, operation.attempts.contains(where: { $0.slot == slot })
      else { continue }
      clients[client].operation?.attempts.removeAll { $0.slot == slot }
      if case .write = operation.kind { clients[client].operation?.isUncertain = true }
      failed(client, isUncertain: false)
    }
  }
}
