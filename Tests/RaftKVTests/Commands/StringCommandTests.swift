import RaftCore
import Testing

@testable import RaftKV

@Suite("Commands of strings")
struct StringCommandTests {
  private let bench = CommandBench()

  @Test("SET answers by its conditions, and returns what was there if asked")
  func set() {
    #expect(bench.run("GET k") == .null)
    #expect(bench.run("SET k v XX") == .null)
    #expect(bench.run("set k v nx") == .ok)
    #expect(bench.run("SET k w NX") == .null)
    #expect(bench.run("SET k w NX GET") == .bulk("v"))
    #expect(bench.run("SET k w GET") == .bulk("v"))
    #expect(bench.run("SET new w GET") == .null)
    #expect(bench.run("GETSET k x") == .bulk("w"))
    #expect(bench.run("GETDEL k") == .bulk("x"))
    #expect(bench.run("GETDEL k") == .null)
    #expect(bench.run("SETNX k 1") == .integer(1))
    #expect(bench.run("SETNX k 2") == .integer(0))
    #expect(bench.run("SET k v NX XX") == .error("ERR syntax error"))
    #expect(bench.run("SET k v EX 10 PX 10") == .error("ERR syntax error"))
    #expect(bench.run("SET k v KEEPTTL EX 10") == .error("ERR syntax error"))
    #expect(bench.run("SET k v PERSIST") == .error("ERR syntax error"))
    #expect(bench.run("SET k v EX") == .error("ERR syntax error"))
    #expect(bench.run("SET k v FOO") == .error("ERR syntax error"))
    #expect(bench.run("SET k") == .error("ERR wrong number of arguments for 'set' command"))
  }

  @Test("SET takes expiries in four forms, keeps one if asked, and drops it otherwise")
  func setWithExpiry() {
    #expect(bench.run("SET k v EX 10") == .ok)
    #expect(bench.run("PTTL k") == .integer(10_000))
    #expect(bench.run("SET k v KEEPTTL") == .ok)
    #expect(bench.run("PTTL k") == .integer(10_000))
    #expect(bench.run("SET k v") == .ok)
    #expect(bench.run("PTTL k") == .integer(-1))
    #expect(bench.run("SET k v PXAT 1700000000500") == .ok)
    #expect(bench.run("PTTL k") == .integer(500))
    #expect(bench.run("SET k v EXAT 1700000001") == .ok)
    #expect(bench.run("PTTL k") == .integer(1000))
    #expect(bench.run("SETEX k 5 v") == .ok)
    #expect(bench.run("PSETEX k 1500 v") == .ok)
    bench.wait(1499)
    #expect(bench.run("GET k") == .bulk("v"))
    bench.wait(1)
    #expect(bench.run("GET k") == .null)
    #expect(bench.run("SET k v EXAT 1") == .ok)
    #expect(bench.run("EXISTS k") == .integer(0))
    for line in ["SET k v EX 0", "SET k v PX -1", "SET k v EX 9223372036854775807"] {
      #expect(bench.run(line) == .error("ERR invalid expire time in 'set' command"))
    }
    #expect(bench.run("SETEX k 0 v") == .error("ERR invalid expire time in 'setex' command"))
    #expect(bench.run("SET k v EX 1.5") == .error("ERR value is not an integer or out of range"))
  }

  @Test("GETEX changes the expiry and nothing else")
  func getEx() {
    _ = bench.run("SET k v")
    #expect(bench.run("GETEX k EX 100") == .bulk("v"))
    #expect(bench.run("TTL k") == .integer(100))
    #expect(bench.run("GETEX k") == .bulk("v"))
    #expect(bench.run("TTL k") == .integer(100))
    #expect(bench.run("GETEX k PERSIST") == .bulk("v"))
    #expect(bench.run("TTL k") == .integer(-1))
    #expect(bench.run("GETEX k EXAT 1") == .bulk("v"))
    #expect(bench.run("EXISTS k") == .integer(0))
    #expect(bench.run("GETEX k EX 0") == .null)
    #expect(bench.run("GETEX k KEEPTTL") == .error("ERR syntax error"))
  }

  @Test("Several keys are set together, or not at all")
  func many() {
    #expect(bench.run("MSET a 1 b 2") == .ok)
    #expect(bench.run("MSETNX b 3 c 4") == .integer(0))
    #expect(bench.run("MGET a b c") == .array([.bulk("1"), .bulk("2"), .null]))
    #expect(bench.run("MSETNX c 3 d 4") == .integer(1))
    #expect(bench.run("MSET a 1 b") == .error("ERR wrong number of arguments for 'mset' command"))
    #expect(bench.run("MSETNX a 1 b") == .error("ERR wrong number of arguments for 'msetnx' command"))
  }

  @Test("Parts are read and written by position")
  func ranges() {
    #expect(bench.run("APPEND k Hello") == .integer(5))
    #expect(bench.run("GETRANGE k 0 -1") == .bulk("Hello"))
    #expect(bench.run("GETRANGE k -3 -2") == .bulk("ll"))
    #expect(bench.run("SUBSTR k 1 100") == .bulk("ello"))
    #expect(bench.run("GETRANGE k 3 1") == .bulk(""))
    #expect(bench.run("GETRANGE k -1 -3") == .bulk(""))
    #expect(bench.run("SETRANGE k 7 x") == .integer(8))
    #expect(bench.run("GET k") == .bulk("Hello\0\0x"))
    #expect(bench.run("STRLEN k") == .integer(8))
    #expect(bench.run("SETRANGE k -1 x") == .error("ERR offset is out of range"))
    #expect(
      bench.run("SETRANGE k 536870912 x")
        == .error("ERR string exceeds maximum allowed size (proto-max-bulk-len)"))
    #expect(bench.run([Bytes("SETRANGE".utf8), Bytes("none".utf8), Bytes("5".utf8), []]) == .integer(0))
    #expect(bench.run("EXISTS none") == .integer(0))
  }

  @Test("Counters refuse what is not a number, and what does not fit")
  func counters() {
    #expect(bench.run("INCR n") == .integer(1))
    #expect(bench.run("INCRBY n 41") == .integer(42))
    #expect(bench.run("DECR n") == .integer(41))
    #expect(bench.run("DECRBY n 50") == .integer(-9))
    _ = bench.run("SET n 9223372036854775807")
    #expect(bench.run("INCR n") == .error("ERR increment or decrement would overflow"))
    #expect(bench.run("DECRBY n -9223372036854775808") == .error("ERR decrement would overflow"))
    for text in ["01", "+1", "1.0", "a", "9223372036854775808"] {
      _ = bench.run("SET n \(text)")
      #expect(bench.run("INCR n") == .error("ERR value is not an integer or out of range"))
    }
    #expect(bench.run("INCRBY m 1x") == .error("ERR value is not an integer or out of range"))
  }

  @Test(
    "Sums of fractions have the digits that a format of 80 bits gives",
    arguments: [
      ("10.50", "0.1", "10.6"), ("5.0e3", "2.0e2", "5200"), ("0.1", "0.2", "0.3"), ("3", "-3", "0"),
      ("0", "1e-17", "0.00000000000000001"), ("0", "1e-18", "0"), ("0", "-1e-18", "0"),
      ("1e17", "0.5", "100000000000000000.5"), ("0", "123456789.123456789", "123456789.12345678899873747"),
      ("0", "123456789012345678901234567890", "123456789012345678899921813504"), ("0", "0x1p-3", "0.125"),
      ("0", "+5", "5"), ("0", ".5", "0.5"), ("-1e20", "1", "-100000000000000000000"),
    ])
  func fractions(start: String, addend: String, sum: String) {
    _ = bench.run("SET n \(start)")
    #expect(bench.run("INCRBYFLOAT n \(addend)") == .bulk(sum))
    #expect(bench.run("GET n") == .bulk(sum))
  }

  @Test(
    "What is not a fraction is refused",
    arguments: ["abc", "1e", ".", "0x", "nan", "1e5000", "1e-5000", "5x"])
  func noFractions(text: String) {
    #expect(bench.run("INCRBYFLOAT n \(text)") == .error("ERR value is not a valid float"))
    _ = bench.run("SET n \(text)")
    #expect(bench.run("INCRBYFLOAT n 1") == .error("ERR value is not a valid float"))
  }

  @Test("Sums that are infinite are refused")
  func infinite() {
    let refusal = Reply.error("ERR increment would produce NaN or Infinity")
    #expect(bench.run("INCRBYFLOAT n inf") == refusal)
    _ = bench.run("SET n 1e4932")
    #expect(bench.run("INCRBYFLOAT n 1e4932") == refusal)
    #expect(bench.run("GET n") == .bulk("1e4932"))
  }

  @Test("A change of a part keeps the expiry")
  func keepsExpiry() {
    _ = bench.run("SET n 1 EX 100")
    for line in ["INCR n", "INCRBYFLOAT n 1", "APPEND n 0", "SETRANGE n 0 7", "SETBIT n 3 1"] {
      _ = bench.run(line)
      #expect(bench.run("TTL n") == .integer(100))
    }
    _ = bench.run("GETSET n 1")
    #expect(bench.run("TTL n") == .integer(-1))
  }

  @Test("A JSON text is read as a string, and a JSON number stays one when it is counted up")
  func json() {
    let (namespace, key) = (bench.namespace, Bytes("j".utf8))
    bench.keyspace.set(StoredValue(kind: .json, payload: Bytes("41".utf8)), namespace: namespace, key: key)
    #expect(bench.run("INCR j") == .integer(42))
    #expect(bench.keyspace.value(namespace: namespace, key: key)?.kind == .json)
    #expect(bench.run("GET j") == .bulk("42"))
    #expect(bench.run("TYPE j") == .status("string"))
    #expect(bench.run("APPEND j x") == .integer(3))
    #expect(bench.keyspace.value(namespace: namespace, key: key)?.kind == .string)
  }

  @Test("An unknown command is named with what it was given")
  func unknown() {
    #expect(bench.run("FOO a b") == .error("ERR unknown command 'FOO', with args beginning with: 'a' 'b' "))
    #expect(
      bench.run([Bytes("foo".utf8), Bytes("a\r\nb".utf8)])
        == .error("ERR unknown command 'foo', with args beginning with: 'a  b' "))
    let (long, longer) = (String(repeating: "x", count: 100), String(repeating: "y", count: 100))
    let shown = "'\(long)' '\(String(repeating: "y", count: 25))' "
    #expect(
      bench.run("foo \(long) \(longer) z")
        == .error("ERR unknown command 'foo', with args beginning with: \(shown)"))
    #expect(bench.run([]) == .error("ERR unknown command '', with args beginning with: "))
  }
}
