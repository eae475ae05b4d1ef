import RaftCore
import Testing

@testable import RaftKV

@Suite("Commands of bits")
struct BitCommandTests {
  private let bench = CommandBench()

  private func set(_ bytes: Bytes) { _ = bench.run([Bytes("SET".utf8), Bytes("k".utf8), bytes]) }

  @Test("A bit is set and read, and the string grows to hold it")
  func bits() {
    #expect(bench.run("SETBIT k 7 1") == .integer(0))
    #expect(bench.run("SETBIT k 7 0") == .integer(1))
    #expect(bench.run("SETBIT k 17 1") == .integer(0))
    #expect(bench.run("GETBIT k 17") == .integer(1))
    #expect(bench.run("GETBIT k 1000") == .integer(0))
    #expect(bench.run("GETBIT none 0") == .integer(0))
    #expect(bench.run("GET k") == .bulk([0, 0, 0x40]))
    let refusal = Reply.error("ERR bit offset is not an integer or out of range")
    #expect(bench.run("SETBIT k -1 1") == refusal)
    #expect(bench.run("SETBIT k 4294967296 1") == refusal)
    #expect(bench.run("GETBIT k x") == refusal)
    #expect(bench.run("SETBIT k 0 2") == .error("ERR bit is not an integer or out of range"))
  }

  @Test("Bits are counted in ranges of bytes and of bits")
  func count() {
    #expect(bench.run("BITCOUNT none") == .integer(0))
    set(Bytes("foobar".utf8))
    #expect(bench.run("BITCOUNT k") == .integer(26))
    #expect(bench.run("BITCOUNT k 0 0") == .integer(4))
    #expect(bench.run("BITCOUNT k 1 1 BYTE") == .integer(6))
    #expect(bench.run("BITCOUNT k 5 30 BIT") == .integer(17))
    #expect(bench.run("BITCOUNT k -2 -1") == .integer(7))
    #expect(bench.run("BITCOUNT k 3 1") == .integer(0))
    #expect(bench.run("BITCOUNT k -1 -2 FOO") == .integer(0))
    #expect(bench.run("BITCOUNT k 1") == .error("ERR syntax error"))
    #expect(bench.run("BITCOUNT k 0 1 FOO") == .error("ERR syntax error"))
  }

  @Test("The first bit of a kind is found, behind the end if that is open")
  func find() {
    #expect(bench.run("BITPOS none 1") == .integer(-1))
    #expect(bench.run("BITPOS none 0") == .integer(0))
    set([0xFF, 0xF0, 0x00])
    #expect(bench.run("BITPOS k 0") == .integer(12))
    #expect(bench.run("BITPOS k 1 2") == .integer(-1))
    #expect(bench.run("BITPOS k 1 7 15 BIT") == .integer(7))
    #expect(bench.run("BITPOS k 0 2 -1 BYTE") == .integer(16))
    set([0xFF, 0xFF])
    #expect(bench.run("BITPOS k 0") == .integer(16))
    #expect(bench.run("BITPOS k 0 0") == .integer(16))
    #expect(bench.run("BITPOS k 0 0 -1") == .integer(-1))
    #expect(bench.run("BITPOS k 2") == .error("ERR The bit argument must be 1 or 0."))
    #expect(bench.run("BITPOS k 1 0 1 FOO") == .error("ERR syntax error"))
  }
}
