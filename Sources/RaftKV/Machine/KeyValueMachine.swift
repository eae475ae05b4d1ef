import RaftCore
import RaftServer
import RaftStore

/// The replicated key-value store: namespaces of keys, isolated from each other. Namespaces and keys are bytes; values are
/// what ``StoredValue`` says. What they mean is the business of the client protocols, which also hold them to their
/// limits.
///
/// Time is that of the log: it passes with every command, and stands still between them.
public struct KeyValueMachine<Backend: OrderedBackend>: StateMachine {
  /// How many expired keys a command removes beside what it does, and how many a tick does.
  private static var reclaimedWithCommand: Int { 4 }
  private static var reclaimedWithTick: Int { 1_000 }

  /// The data.
  public internal(set) var keyspace: Keyspace<Backend>

  /// Starts with what `backend` holds; the same on all replicas.
  ///
  /// - Parameters:
  ///   - backend: Where the data is.
  ///   - history: What remembers the latest changes, for those who follow them; a replica's own business.
  public init(backend: Backend, history: ChangeHistory = ChangeHistory()) {
    keyspace = Keyspace(backend: backend)
    keyspace.history = history
    keyspace.time = keyspace.storedTime
  }

  /// Changes the store.
  public mutating func apply(_ command: KeyValueCommand, at context: ApplyContext) -> KeyValueOutcome {
    keyspace.logIndex = context.logIndex.rawValue
    if context.time > keyspace.time {
      keyspace.time = context.time
      keyspace.storeTime()
    }
    switch command {
    case .put(let namespace, let key, let value):
      keyspace.set(StoredValue(json: value), namespace: namespace, key: key)
    case .delete(let namespace, let key):
      keyspace.remove(namespace: namespace, key: key)
    case .run(let calls, let watched):
      guard watched.allSatisfy({ version(of: $0) == $0.version }) else { return .changed }
      var budget = AnswerBudget()
      var work = WorkBudget()
      let replies = calls.map { call in
        let info = call.arguments.first.flatMap(CommandTable.find)
        return work.admits(call, info, on: &keyspace) {
          budget.admitted(
            CommandInterpreter.execute(call.arguments, info, namespace: call.namespace, on: &$0))
        }
      }
      keyspace.reclaimExpired(limit: Self.reclaimedWithCommand)
      return .replies(replies)
    case .tick:
      keyspace.reclaimExpired(limit: Self.reclaimedWithTick)
    case .change(let changes):
      let outcome = make(changes)
      keyspace.reclaimExpired(limit: Self.reclaimedWithCommand)
      return outcome
    }
    return .done
  }

  private func version(of key: WatchedKey) -> UInt64 {
    keyspace.value(namespace: key.namespace, key: key.key)?.version ?? 0
  }

  /// Asks the store as it is after the last command.
  public func read(_ query: KeyValueQuery) -> KeyValueAnswer {
    read(query, at: LogIndex(keyspace.logIndex))
  }

  /// Asks the store as it is after the entry at `index`.
  public func read(_ query: KeyValueQuery, at index: LogIndex) -> KeyValueAnswer {
    switch query {
    case .get(let namespace, let key):
      guard let value = keyspace.value(namespace: namespace, key: key) else { return .value(nil) }
      return value.json.map { .value($0) } ?? .notText
    case .run(let calls):
      var view = keyspace
      var replies: [Reply] = []
      var bytes = 0
      for call in calls where bytes < AnswerLimit.readBytes {
        let info = call.arguments.first.flatMap(CommandTable.find)
        bytes += WorkBudget.bytesRead(by: call, info, on: view)
        guard info?.isWrite != true else {
          replies.append(.error("ERR a command that changes something is proposed, not asked"))
          continue
        }
        let reply = CommandInterpreter.execute(call.arguments, info, namespace: call.namespace, on: &view)
        bytes += reply.bytes
        replies.append(reply)
      }
      return .replies(replies)
    case .namespaces: return .namespaces(keyspace.namespaces)
    case .versions(let keys):
      return .versions(
        keys.map { WatchedKey(namespace: $0.namespace, key: $0.key, version: version(of: $0)) })
    case .clock: return .clock(now: keyspace.time, nextExpiry: keyspace.nextExpiry)
    case .lookup(let namespace, let key):
      let value = keyspace.value(namespace: namespace, key: key)
      return .found(KeyFinding(value: value, time: keyspace.time))
    case .page(let query): return .page(keyspace.page(query, at: index.rawValue))
    case .namespacePage(let lower, let limit):
      return .namespacePage(keyspace.namespacePage(from: lower, limit: limit))
    case .changes(let query):
      return keyspace.history.page(query, applied: index.rawValue).map { .changes($0) }
        ?? .forgotten(before: keyspace.history.forgottenThrough + 1)
    case .position: return .position(index.rawValue)
    }
  }

  /// The data is now that after the entry at `index`; what has changed before is not known.
  public mutating func resume(after index: LogIndex) { keyspace.history.restart(after: index.rawValue) }

  /// Writes all pairs in the order of their keys: true, key and value for each, and false at the end.
  public func snapshot(into writer: inout SnapshotWriter) {
    defer { writer.write(false) }
    keyspace.backend.scan(from: [], to: nil) { key, value in
      writer.write(true)
      writer.write(key)
      writer.write(value)
      return true
    }
  }

  /// Takes all pairs of a snapshot.
  ///
  /// - Throws: `MalformedBytes` if they cannot be read.
  public mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    while try reader.read(Bool.self) {
      let key = try reader.read(Bytes.self)
      keyspace.backend.put(try reader.read(Bytes.self), for: key)
    }
    keyspace.time = keyspace.storedTime
  }
}

extension KeyValueMachine: StoredStateMachine where Backend == NodeBackend {
  /// Keeps the data in `state` from now on.
  public mutating func keep(in state: MachineState) {
    self = KeyValueMachine(backend: NodeBackend(in: state), history: keyspace.history)
  }

  /// The store as `view` shows it.
  public func frozen(in view: MachineStateView) -> KeyValueMachine {
    KeyValueMachine(backend: NodeBackend(view))
  }
}
