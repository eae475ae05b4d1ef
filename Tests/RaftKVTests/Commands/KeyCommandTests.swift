import RaftCore
import Testing

@testable import RaftKV

@Suite("Commands of keys")
struct KeyCommandTests {
  private let bench = CommandBench()

  @Test("Keys are counted as often as they are named")
  func presence() {
    _ = bench.run("MSET a 1 b 2")
    #expect(bench.run("EXISTS a a c") == .integer(2))
    #expect(bench.run("TOUCH a b c") == .integer(2))
    #expect(bench.run("TYPE a") == .status("string"))
    #expect(bench.run("TYPE c") == .status("none"))
    #expect(bench.run("DEL a a c") == .integer(1))
    #expect(bench.run("UNLINK b") == .integer(1))
    #expect(bench.run("DBSIZE") == .integer(0))
  }

  @Test("A renamed key takes its expiry along")
  func rename() {
    _ = bench.run("SET a 1 EX 100")
    _ = bench.run("SET b 2")
    #expect(bench.run("RENAME none x") == .error("ERR no such key"))
    #expect(bench.run("RENAME a a") == .ok)
    #expect(bench.run("RENAMENX a a") == .integer(0))
    #expect(bench.run("RENAMENX a b") == .integer(0))
    #expect(bench.run("RENAME a b") == .ok)
    #expect(bench.run("TTL b") == .integer(100))
    #expect(bench.run("GET b") == .bulk("1"))
    #expect(bench.run("RENAMENX b c") == .integer(1))
    #expect(bench.run("DBSIZE") == .integer(1))
  }

  @Test("A copy can go to another database")
  func copy() {
    _ = bench.run("SET a 1 EX 100")
    #expect(bench.run("COPY a b") == .integer(1))
    #expect(bench.run("TTL b") == .integer(100))
    #expect(bench.run("COPY a b") == .integer(0))
    #expect(bench.run("COPY a b REPLACE") == .integer(1))
    #expect(bench.run("COPY none b REPLACE") == .integer(0))
    #expect(bench.run("COPY a a DB 3") == .integer(1))
    #expect(
      bench.run("COPY a a DB 0") == .error("ERR source and destination objects are the same"))
    #expect(bench.run("COPY a b DB 16") == .error("ERR DB index is out of range"))
    #expect(bench.run("COPY a b DB x") == .error("ERR value is not an integer or out of range"))
    #expect(
      bench.run("COPY a b DB 99999999999")
        == .error("ERR value is out of range, value must between -2147483648 and 2147483647"))
    #expect(bench.run("COPY a b DB") == .error("ERR syntax error"))
    bench.namespace = Bytes("3".utf8)
    #expect(bench.run("GET a") == .bulk("1"))
    #expect(bench.run("COPY a a DB 0 REPLACE") == .integer(1))
  }

  @Test("Databases are emptied alone or together")
  func flush() {
    _ = bench.run("MSET a 1 b 2")
    _ = bench.run("COPY a a DB 1")
    #expect(bench.run("FLUSHDB NOW") == .error("ERR syntax error"))
    #expect(bench.run("FLUSHDB ASYNC") == .ok)
    #expect(bench.run("DBSIZE") == .integer(0))
    #expect(bench.keyspace.namespaces == [Bytes("1".utf8)])
    #expect(bench.run("FLUSHALL") == .ok)
    #expect(bench.keyspace.namespaces == [])
  }

  @Test("KEYS finds what a pattern describes")
  func keys() {
    _ = bench.run("MSET hello 1 hallo 2 hxllo 3 hllo 4 h*llo 5")
    #expect(bench.run("KEYS h?llo") == .bulks("h*llo", "hallo", "hello", "hxllo"))
    #expect(bench.run("KEYS h[ae]llo") == .bulks("hallo", "hello"))
    #expect(bench.run("KEYS h[^e]llo") == .bulks("h*llo", "hallo", "hxllo"))
    #expect(bench.run("KEYS h\\*llo") == .bulks("h*llo"))
    #expect(bench.run("KEYS ha*") == .bulks("hallo"))
    #expect(bench.run("KEYS none*") == .array([]))
  }

  @Test(
    "Patterns match as they do elsewhere",
    arguments: [
      ("*", "", true), ("**", "", false), ("**", "a", true), ("a**", "a", true), ("", "", true),
      ("", "a", false), ("a*b*c", "aXXbYYc", true),
      ("a*b*c", "aXXcYYb", false),
      ("**a", "ba", true), ("[a-c]", "b", true), ("[c-a]", "b", true), ("[^a-c]", "b", false),
      ("[^]", "b", true),
      ("[abc", "c", true), ("[a", "b", false), ("[\\]]", "]", true), ("\\", "\\", true), ("a\\", "a\\", true),
      ("[a-", "-", true), ("[]", "a", false), ("*[0-9]", "key9", true), ("a?", "a", false),
    ])
  func patterns(pattern: String, text: String, matches: Bool) {
    #expect(GlobPattern(Bytes(pattern.utf8)).matches(Bytes(text.utf8)) == matches)
  }

  @Test("RANDOMKEY names a key that is there, and not always the same")
  func randomKey() {
    #expect(bench.run("RANDOMKEY") == .null)
    _ = bench.run("MSET a 1 b 2 c 3")
    var seen: [Reply] = []
    for _ in 0..<100 { seen.append(bench.run("RANDOMKEY")) }
    #expect(Set(seen) == [.bulk("a"), .bulk("b"), .bulk("c")])
    _ = bench.run("PEXPIRE b 10")
    _ = bench.run("PEXPIRE c 10")
    bench.wait(10)
    for _ in 0..<20 { #expect(bench.run("RANDOMKEY") == .bulk("a")) }
  }

  @Test("OBJECT tells of values, not of how they are kept")
  func object() {
    _ = bench.run("MSET n 12 t text l \(String(repeating: "x", count: 45))")
    #expect(bench.run("OBJECT ENCODING n") == .bulk("int"))
    #expect(bench.run("OBJECT ENCODING t") == .bulk("embstr"))
    #expect(bench.run("OBJECT ENCODING l") == .bulk("raw"))
    #expect(bench.run("OBJECT ENCODING none") == .null)
    #expect(bench.run("OBJECT REFCOUNT t") == .integer(1))
    #expect(bench.run("OBJECT IDLETIME t") == .integer(0))
    #expect(bench.run("OBJECT FOO t") == .error("ERR unknown subcommand 'FOO'. Try OBJECT HELP."))
    #expect(
      bench.run("OBJECT ENCODING")
        == .error("ERR wrong number of arguments for 'object|encoding' command"))
  }
}
