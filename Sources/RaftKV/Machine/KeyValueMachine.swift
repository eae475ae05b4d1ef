import RaftCore
import RaftServer
import RaftStore

/// The replicated key-value store: namespaces of keys, isolated from each other. Namespaces, keys and values are bytes;
/// what they mean is the business of the client protocols, which also hold them to their limits.
public struct KeyValueMachine<Backend: OrderedBackend>: StateMachine {
  /// Where the data is.
  public private(set) var backend: Backend

  /// Starts with what `backend` holds; the same on all replicas.
  public init(backend: Backend) { self.backend = backend }

  /// Changes the store.
  public mutating func apply(_ command: KeyValueCommand, at context: ApplyContext) -> KeyValueOutcome {
    switch command {
    case .put(let namespace, let key, let value):
      backend.put(value, for: KeyLayout.storedKey(namespace: namespace, key: key))
    case .delete(let namespace, let key):
      backend.delete(KeyLayout.storedKey(namespace: namespace, key: key))
    }
    return .done
  }

  /// Asks the store.
  public func read(_ query: KeyValueQuery) -> KeyValueAnswer {
    switch query {
    case .get(let namespace, let key):
      .value(backend.get(KeyLayout.storedKey(namespace: namespace, key: key)))
    }
  }

  /// Writes all pairs in the order of their keys: true, key and value for each, and false at the end.
  public func snapshot(into writer: inout SnapshotWriter) {
    defer { writer.write(false) }
    backend.scan(from: [], to: nil) { key, value in
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
      backend.put(try reader.read(Bytes.self), for: key)
    }
  }
}

extension KeyValueMachine: StoredStateMachine where Backend == NodeBackend {
  /// Keeps the data in `state` from now on.
  public mutating func keep(in state: MachineState) { backend = NodeBackend(in: state) }

  /// The store as `view` shows it.
  public func frozen(in view: MachineStateView) -> KeyValueMachine {
    KeyValueMachine(backend: NodeBackend(view))
  }
}
