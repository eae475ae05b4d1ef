import RaftCore
import RaftStore
import Testing

@testable import RaftKV

@Suite("Table of commands")
struct CommandTableTests {
  private let bench = CommandBench()

  @Test("A command is found in any case, and runs here or in a connection")
  func find() {
    for info in CommandTable.all {
      #expect(CommandTable.find(Bytes(info.name.uppercased().utf8))?.name == info.name)
      #expect((info.body == nil) == info.isConnection)
    }
    #expect(CommandTable.find(Bytes("GeT".utf8))?.isWrite == false)
    #expect(CommandTable.find(Bytes("SET".utf8))?.isWrite == true)
    #expect(CommandTable.find(Bytes("nope".utf8)) == nil)
    #expect(CommandTable.find([]) == nil)
    #expect(bench.run("PING") == .error("ERR unknown command 'PING', with args beginning with: "))
  }

  @Test("Each command refuses a number of arguments that it does not take")
  func arity() {
    for info in CommandTable.all where !info.isConnection && info.arity != -1 {
      let count = info.arity > 0 ? info.arity + 1 : -info.arity - 1
      let words = [Bytes(info.name.utf8)] + Array(repeating: [0x31], count: count - 1)
      #expect(bench.run(words) == .error("ERR wrong number of arguments for '\(info.name)' command"))
    }
  }

  @Test(
    "The keys of a call are found",
    arguments: [
      ("get", 2, [1]), ("mset", 5, [1, 3]), ("del", 4, [1, 2, 3]), ("rename", 3, [1, 2]), ("dbsize", 1, []),
      ("watch", 3, [1, 2]), ("copy", 6, [1, 2]), ("mget", 1, []),
    ])
  func keys(name: String, count: Int, indices: [Int]) {
    #expect(CommandTable.find(Bytes(name.utf8)).map { Array($0.keyIndices(argumentCount: count)) } == indices)
  }

  @Test("Commands that read change nothing, and neither do those that are refused")
  func readsAndRefusals() {
    _ = bench.run("MSET s text n 5")
    _ = bench.run("SETEX e 100 v")
    _ = bench.run("PFADD h a b")
    _ = bench.run("BF.ADD f a")
    let before = contents
    for info in CommandTable.all where !info.isConnection && !info.isWrite {
      for key in ["s", "n", "e", "h", "f", "none"] {
        for count in 0..<5 {
          let rest = Array(repeating: Bytes("1".utf8), count: count)
          _ = bench.run([Bytes(info.name.utf8), Bytes(key.utf8)] + rest)
        }
        _ = bench.run("OBJECT ENCODING \(key)")
      }
    }
    for line in [
      "SET s v NX", "SET s v FOO", "MSETNX a 1 s 2", "INCR s", "INCRBYFLOAT s 1", "SETRANGE s -1 x",
      "APPEND f x",
      "EXPIRE s x", "EXPIRE s 10 XX", "PFADD s a", "PFMERGE h s", "BF.ADD s a", "BF.RESERVE f 0.1 10",
      "RENAME none s",
      "RENAMENX s n", "COPY s n", "SETBIT s 0 2", "GETEX s FOO 1", "FLUSHALL FOO", "PFADD h a", "BF.ADD f a",
      "MSET x 1 y", "DEL none", "PERSIST s",
    ] { _ = bench.run(line) }
    #expect(contents == before)
  }

  private var contents: [[Bytes]] {
    var pairs: [[Bytes]] = []
    bench.keyspace.backend.scan(from: [], to: nil) { key, value in
      pairs.append([key, value])
      return true
    }
    return pairs
  }

  @Test("The same commands leave the same bytes in another store, whatever was there before and has expired")
  func expiredIsGone() {
    let fresh = CommandBench()
    _ = bench.run("MSET a 1 b 2 c 3")
    for key in ["a", "b", "c"] { _ = bench.run("PEXPIRE \(key) 10") }
    bench.wait(10)
    fresh.wait(10)
    fresh.keyspace.logIndex = bench.keyspace.logIndex
    for line in ["SET a x NX", "APPEND b y", "INCR c", "RENAME a d", "DEL a"] {
      #expect(bench.run(line) == fresh.run(line))
    }
    bench.keyspace.reclaimExpired(limit: 10)
    let expected = contents
    var found: [[Bytes]] = []
    fresh.keyspace.backend.scan(from: [], to: nil) { key, value in
      found.append([key, value])
      return true
    }
    #expect(found == expected)
  }
}
