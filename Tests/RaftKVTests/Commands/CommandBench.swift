import RaftCore
import RaftStore

@testable import RaftKV

/// Runs commands, written as one would type them, on a store in memory.
final class CommandBench {
  var keyspace = Keyspace(backend: MemoryBackend(), time: 1_700_000_000_000, logIndex: 1)
  var namespace = Bytes("default".utf8)

  /// Runs a command whose words have no spaces.
  func run(_ line: String) -> Reply {
    run(line.split(separator: " ").map { Bytes($0.utf8) })
  }

  /// Runs a command of any bytes, and steps the log.
  func run(_ words: [Bytes]) -> Reply {
    keyspace.logIndex += 1
    return CommandInterpreter.execute(words, namespace: namespace, on: &keyspace)
  }

  /// Lets time pass.
  func wait(_ milliseconds: UInt64) { keyspace.time += milliseconds }
}

extension Reply {
  static func bulks(_ texts: String...) -> Reply { .array(texts.map { .bulk($0) }) }
  static var wrongType: Reply {
    .error("WRONGTYPE Operation against a key holding the wrong kind of value")
  }
}
