import RaftCore
import Testing

@testable import RaftKV

@Suite("Bloom filters")
struct BloomFilterTests {
  private let bench = CommandBench()

  @Test("What was added is found")
  func add() {
    #expect(bench.run("BF.EXISTS f a") == .integer(0))
    #expect(bench.run("BF.ADD f a") == .integer(1))
    #expect(bench.run("BF.ADD f a") == .integer(0))
    #expect(bench.run("BF.MADD f a b c") == .array([.integer(0), .integer(1), .integer(1)]))
    #expect(bench.run("BF.EXISTS f c") == .integer(1))
    #expect(bench.run("BF.MEXISTS f a b x") == .array([.integer(1), .integer(1), .integer(0)]))
    #expect(bench.run("TYPE f") == .status("MBbloom--"))
    #expect(bench.run("BF.INFO f CAPACITY") == .array([.integer(100)]))
    #expect(bench.run("BF.INFO f items") == .array([.integer(3)]))
    #expect(bench.run("BF.INFO none") == .error("ERR not found"))
    #expect(bench.run("BF.INFO f COLOUR") == .error("Invalid information value"))
    #expect(bench.run("BF.INFO f ITEMS x") == .error("ERR wrong number of arguments for 'bf.info' command"))
  }

  @Test("A full filter grows by a part, larger by its expansion")
  func grow() {
    #expect(bench.run("BF.RESERVE f 0.01 10 EXPANSION 3") == .ok)
    for number in 0..<25 { _ = bench.run("BF.ADD f \(number)") }
    guard case .map(let facts) = bench.run("BF.INFO f") else {
      Issue.record("facts are pairs")
      return
    }
    #expect(
      facts.map(\.key) == [
        .status("Capacity"), .status("Size"), .status("Number of filters"),
        .status("Number of items inserted"),
        .status("Expansion rate"),
      ])
    #expect(facts[0].value == .integer(40))
    #expect(facts[2].value == .integer(2))
    #expect(facts[3].value == .integer(25))
    #expect(facts[4].value == .integer(3))
    for number in 0..<25 { #expect(bench.run("BF.EXISTS f \(number)") == .integer(1)) }
  }

  @Test("A filter that does not grow is full at some time")
  func full() {
    let full = Reply.error("ERR non scaling filter is full")
    #expect(bench.run("BF.RESERVE f 0.01 2 NONSCALING") == .ok)
    #expect(bench.run("BF.INFO f EXPANSION") == .array([.null]))
    #expect(bench.run("BF.MADD f a b c d") == .array([.integer(1), .integer(1), full]))
    #expect(bench.run("BF.ADD f c") == full)
    #expect(bench.run("BF.ADD f a") == .integer(0))
    #expect(bench.run("BF.RESERVE g 0.01 2 EXPANSION 0") == .ok)
    #expect(bench.run("BF.INFO g EXPANSION") == .array([.null]))
  }

  @Test(
    "A filter cannot be made twice, nor of anything",
    arguments: [
      ("f 0.01 10", "ERR item exists"),
      ("s 0.01 10", "WRONGTYPE Operation against a key holding the wrong kind of value"),
      ("g x 10", "ERR bad error rate"), ("g nan 10", "ERR bad error rate"),
      ("g inf 10", "ERR bad error rate"),
      ("g 0 10", "ERR (0 < error rate range < 1)"), ("g 1 10", "ERR (0 < error rate range < 1)"),
      ("g 0.01 x", "ERR bad capacity"), ("g 0.01 0", "ERR (capacity should be larger than 0)"),
      ("g 0.01 10 EXPANSION", "ERR no expansion"), ("g 0.01 10 EXPANSION x", "ERR bad expansion"),
      ("g 0.01 10 EXPANSION 2 NONSCALING", "Nonscaling filters cannot expand"),
      ("g 0.01 9223372036854775807", "ERR could not create filter"),
      ("g 1e-300 100000000", "ERR could not create filter"),
      ("g 0.01", "ERR wrong number of arguments for 'bf.reserve' command"),
    ])
  func refusals(words: String, text: String) {
    _ = bench.run("BF.RESERVE f 0.01 10")
    _ = bench.run("SET s v")
    #expect(bench.run("BF.RESERVE \(words)") == .error(text))
    #expect(bench.run("EXISTS g") == .integer(0))
  }

  @Test("Filters and strings are kept apart")
  func wrongType() {
    _ = bench.run("BF.ADD f a")
    for line in ["GET f", "APPEND f x", "INCR f", "GETBIT f 1", "BITCOUNT f", "SET f x GET", "GETDEL f"] {
      #expect(bench.run(line) == .wrongType)
    }
    #expect(bench.run("MGET f") == .array([.null]))
    #expect(bench.run("SET s v") == .ok)
    for line in ["BF.ADD s a", "BF.EXISTS s a", "BF.INFO s"] { #expect(bench.run(line) == .wrongType) }
    #expect(bench.run("EXPIRE f 100") == .integer(1))
    _ = bench.run("BF.ADD f b")
    #expect(bench.run("TTL f") == .integer(100))
    #expect(bench.run("COPY f s REPLACE") == .integer(1))
    #expect(bench.run("BF.EXISTS s a") == .integer(1))
  }

  @Test(
    "A filter errs about as rarely as was asked for, also when it has grown", arguments: [0.1, 0.01, 0.001])
  func errorRate(rate: Double) throws {
    for (capacity, expansion) in [(5000, nil), (100, 2)] as [(UInt64, UInt64?)] {
      var filter = try #require(BloomFilter(errorRate: rate, capacity: capacity, expansion: expansion))
      for number in 0..<5000 { _ = filter.insert(Bytes("in\(number)".utf8)) }
      let missed = (0..<5000).filter { !filter.contains(Bytes("in\($0)".utf8)) }
      let wrong = (0..<20_000).filter { filter.contains(Bytes("out\($0)".utf8)) }
      #expect(missed.isEmpty)
      #expect(Double(wrong.count) < 20_000 * rate * 1.3 + 5)
    }
  }

  @Test("Sizes follow from logarithms that are right")
  func sizes() {
    for (number, logarithm) in [
      (0.5, -0.6931471805599453), (0.01, -4.605170185988091), (0.75, -0.2876820724517809),
    ] {
      #expect(abs(BloomFilterSize.logarithm(number) - logarithm) < 1e-15 * 8)
    }
    #expect(BloomFilterSize.hashCount(errorRate: 0.01) == 7)
    #expect(BloomFilterSize.hashCount(errorRate: 0.001) == 10)
    #expect(BloomFilterSize.hashCount(errorRate: 0.99) == 1)
    #expect(BloomFilterSize.bitCount(errorRate: 0.01, capacity: 1000) == 9609)
    #expect(BloomFilterSize.bitCount(errorRate: 0.99, capacity: 1) == 2)
    #expect(BloomFilterSize.bitCount(errorRate: 0.01, capacity: .max) == nil)
  }

  @Test("Bytes that are no filter are not read as one")
  func malformed() throws {
    let filter = try #require(BloomFilter(errorRate: 0.01, capacity: 10, expansion: 2))
    #expect(BloomFilter(filter.bytes) == filter)
    for count in 0..<filter.bytes.count { #expect(BloomFilter(Bytes(filter.bytes.prefix(count))) == nil) }
    #expect(BloomFilter(filter.bytes + [0]) == nil)
  }
}
