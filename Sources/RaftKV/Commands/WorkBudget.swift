import RaftCore

/// Limits what the commands of one entry of the log make of a few bytes: it is carried out at once, by every replica, and
/// again after a restart.
///
/// Counter-example: a thousand times BF.RESERVE, in 60 KB of one pipeline, would be 34 GB of filters in the memory of
/// every node; ten thousand times BITCOUNT of a long value would hold all of them up for minutes.
///
/// It depends on the replicated state alone, so all replicas refuse the same commands.
struct WorkBudget {
  /// The most bytes of long values that commands read and of values that they store. The command with which it is reached
  /// is the last one that runs.
  static let bytesMax = 256 << 20
  /// Values up to this many bytes cost nothing to read.
  private static let shortBytes = 64 << 10

  private var spent = 0

  /// Runs a command, unless those before it have used the budget up.
  mutating func admits<Backend: OrderedBackend>(
    _ call: KeyValueCall, _ info: CommandInfo?, on keyspace: inout Keyspace<Backend>,
    _ run: (inout Keyspace<Backend>) -> Reply
  ) -> Reply {
    guard spent < Self.bytesMax else {
      return .error(
        "ERR not done: what was sent together with it has read and written more than \(Self.bytesMax) bytes")
    }
    spent += Self.bytesRead(by: call, info, on: keyspace)
    let before = keyspace.writtenBytes
    let reply = run(&keyspace)
    spent += keyspace.writtenBytes &- before
    return reply
  }

  /// The bytes of long values that a command looks at as a whole.
  static func bytesRead<Backend: OrderedBackend>(
    by call: KeyValueCall, _ info: CommandInfo?, on keyspace: Keyspace<Backend>
  ) -> Int {
    guard let info, info.readsWholeValues else { return 0 }
    return info.keyIndices(argumentCount: call.arguments.count).reduce(0) { sum, index in
      let bytes = keyspace.record(namespace: call.namespace, key: call.arguments[index])?.bytes.count ?? 0
      return sum + (bytes > shortBytes ? bytes : 0)
    }
  }
}

extension CommandInfo {
  /// Whether it looks at the whole value of its keys, though its answer may be short.
  var readsWholeValues: Bool {
    switch body {
    case .bit, .hyperLogLog, .bloomFilter: true
    case .string(.append), .string(.setrange), .string(.getrange), .string(.substr), .string(.strlen): true
    case .key(.copy), .key(.rename), .key(.renamenx): true
    case .string, .key, .expiry, nil: false
    }
  }
}
