import RaftCore
import Testing

@testable import RaftKV

@Suite("Counts of distinct elements")
struct HyperLogLogTests {
  private let bench = CommandBench()
  private let invalid = Reply.error("WRONGTYPE Key is not a valid HyperLogLog string value.")

  @Test("Elements are counted once")
  func add() {
    #expect(bench.run("PFCOUNT h") == .integer(0))
    #expect(bench.run("PFADD h") == .integer(1))
    #expect(bench.run("PFADD h") == .integer(0))
    #expect(bench.run("PFADD h a b c d e f g") == .integer(1))
    #expect(bench.run("PFADD h a g") == .integer(0))
    #expect(bench.run("PFCOUNT h") == .integer(7))
    #expect(bench.run("STRLEN h") == .integer(12_304))
    #expect(bench.run("TYPE h") == .status("string"))
    #expect(bench.run("PFADD") == .error("ERR wrong number of arguments for 'pfadd' command"))
  }

  @Test("The estimate is the one that others come to", arguments: [(1000, 1001), (20_000, 19891)])
  func estimate(count: Int, expected: Int64) {
    _ = bench.run([Bytes("PFADD".utf8), Bytes("h".utf8)] + (1...count).map { Bytes(String($0).utf8) })
    #expect(bench.run("PFCOUNT h") == .integer(expected))
  }

  @Test("Counts are joined, for an answer or for good")
  func merge() {
    _ = bench.run("PFADD a 1 2 3 x")
    _ = bench.run("PFADD b x y")
    #expect(bench.run("PFCOUNT a b none") == .integer(5))
    #expect(bench.run("PFMERGE none") == .ok)
    #expect(bench.run("EXISTS none") == .integer(1))
    _ = bench.run("EXPIRE b 100")
    #expect(bench.run("PFMERGE b a none") == .ok)
    #expect(bench.run("PFCOUNT b") == .integer(5))
    #expect(bench.run("PFCOUNT a") == .integer(4))
    #expect(bench.run("TTL b") == .integer(100))
  }

  @Test("Other strings are no counts, and other values no strings")
  func wrongType() {
    _ = bench.run("SET s HYLL")
    _ = bench.run("PFADD h a")
    #expect(bench.run("PFADD s a") == invalid)
    #expect(bench.run("PFCOUNT h s") == invalid)
    #expect(bench.run("PFMERGE h s") == invalid)
    #expect(bench.run("PFMERGE s h") == invalid)
    _ = bench.run("BF.ADD f a")
    #expect(bench.run("PFADD f a") == .wrongType)
  }

  @Test("A count that was read can be set under another key")
  func copied() {
    _ = bench.run("PFADD h a b c")
    guard case .bulk(let bytes) = bench.run("GET h") else {
      Issue.record("a count is a string")
      return
    }
    _ = bench.run([Bytes("SET".utf8), Bytes("i".utf8), bytes])
    #expect(bench.run("PFCOUNT i") == .integer(3))
    _ = bench.run([Bytes("SET".utf8), Bytes("i".utf8), bytes.dropLast()])
    #expect(bench.run("PFCOUNT i") == invalid)
  }
}
