import RaftCore
import Testing

@testable import RaftKV

@Suite("Commands of expiries")
struct ExpiryCommandTests {
  private let bench = CommandBench()

  @Test("An expiry is set, asked for and taken away")
  func expiry() {
    #expect(bench.run("EXPIRE k 10") == .integer(0))
    #expect(bench.run("TTL k") == .integer(-2))
    _ = bench.run("SET k v")
    #expect(bench.run("TTL k") == .integer(-1))
    #expect(bench.run("PERSIST k") == .integer(0))
    #expect(bench.run("EXPIRE k 10") == .integer(1))
    #expect(bench.run("PTTL k") == .integer(10_000))
    #expect(bench.run("EXPIRETIME k") == .integer(1_700_000_010))
    #expect(bench.run("PEXPIRETIME k") == .integer(1_700_000_010_000))
    bench.wait(501)
    #expect(bench.run("TTL k") == .integer(9))
    #expect(bench.run("PERSIST k") == .integer(1))
    #expect(bench.run("PEXPIRE k 1500") == .integer(1))
    #expect(bench.run("TTL k") == .integer(2))
    #expect(bench.run("PEXPIREAT k 1800000000000") == .integer(1))
    #expect(bench.run("EXPIREAT k 1800000000") == .integer(1))
    #expect(bench.run("EXPIRETIME k") == .integer(1_800_000_000))
    #expect(bench.run("EXPIRETIME none") == .integer(-2))
  }

  @Test("A moment in the past deletes the key", arguments: ["0", "-1", "-9223372036854775"])
  func past(seconds: String) {
    for command in ["EXPIRE", "EXPIREAT"] {
      _ = bench.run("SET k v")
      #expect(bench.run("\(command) k \(seconds)") == .integer(1))
      #expect(bench.run("DBSIZE") == .integer(0))
    }
  }

  @Test("Conditions compare with the expiry that there is")
  func conditions() {
    _ = bench.run("SET k v")
    #expect(bench.run("EXPIRE k 10 XX") == .integer(0))
    #expect(bench.run("EXPIRE k 10 GT") == .integer(0))
    #expect(bench.run("EXPIRE k 10 NX") == .integer(1))
    #expect(bench.run("EXPIRE k 10 NX") == .integer(0))
    #expect(bench.run("EXPIRE k 10 GT") == .integer(0))
    #expect(bench.run("EXPIRE k 20 gt") == .integer(1))
    #expect(bench.run("EXPIRE k 30 LT") == .integer(0))
    #expect(bench.run("EXPIRE k 15 XX LT") == .integer(1))
    _ = bench.run("PERSIST k")
    #expect(bench.run("EXPIRE k 15 LT") == .integer(1))
  }

  @Test("Words and times that are none are refused")
  func refusals() {
    #expect(
      bench.run("EXPIRE k 1 NX GT")
        == .error("ERR NX and XX, GT or LT options at the same time are not compatible"))
    #expect(
      bench.run("EXPIRE k 1 GT LT") == .error("ERR GT and LT options at the same time are not compatible"))
    #expect(bench.run("EXPIRE k 1 Foo") == .error("ERR Unsupported option Foo"))
    #expect(bench.run("EXPIRE k x") == .error("ERR value is not an integer or out of range"))
    #expect(
      bench.run("EXPIRE k 9223372036854775807") == .error("ERR invalid expire time in 'expire' command"))
    #expect(
      bench.run("PEXPIRE k 9223372036854775807") == .error("ERR invalid expire time in 'pexpire' command"))
  }
}
