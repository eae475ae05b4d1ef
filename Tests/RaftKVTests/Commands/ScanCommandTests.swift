import RaftCore
import Testing

@testable import RaftKV

@Suite("SCAN")
struct ScanCommandTests {
  private let bench = CommandBench()

  /// All keys that a scan returns, and how long the longest page was.
  private func scanAll(
    _ options: String, between: (CommandBench, Int) -> Void = { _, _ in }
  ) -> (keys: [Bytes], pages: Int, longest: Int) {
    var (keys, pages, longest, cursor) = ([Bytes](), 0, 0, "0")
    repeat {
      guard case .array(let reply) = bench.run("SCAN \(cursor) \(options)"), reply.count == 2,
        case .bulk(let next) = reply[0], case .array(let page) = reply[1]
      else {
        Issue.record("a page is a cursor and a list")
        break
      }
      for case .bulk(let key) in page { keys.append(key) }
      (pages, longest) = (pages + 1, max(longest, page.count))
      cursor = String(decoding: next, as: UTF8.self)
      between(bench, pages)
    } while cursor != "0" && pages < 100_000
    return (keys, pages, longest)
  }

  @Test(
    "A scan meets each key once, in small pages, whatever the keys look like",
    arguments: [
      "", "k", "user:profile:", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
    ])
  func complete(prefix: String) {
    var expected: Set<Bytes> = []
    for number in 0..<2000 {
      let key = Bytes((prefix + String(number)).utf8)
      expected.insert(key)
      _ = bench.run([Bytes("SET".utf8), key, [1]])
    }
    let (keys, _, longest) = scanAll("COUNT 10")
    #expect(Set(keys) == expected)
    #expect(keys.count == expected.count)
    #expect(longest < 150)
    #expect(scanAll("COUNT 100000").pages == 1)
  }

  @Test("A key of zeros is met, too")
  func zeros() {
    for count in 0..<20 { _ = bench.run([Bytes("SET".utf8), Bytes(repeating: 0, count: count), [1]]) }
    for byte in [0x00, 0xFE, 0xFF] as Bytes {
      for count in 5..<60 {
        _ = bench.run([Bytes("SET".utf8), Bytes(repeating: 0xFF, count: count) + [byte], [1]])
      }
    }
    #expect(Reply.integer(Int64(Set(scanAll("COUNT 2").keys).count)) == bench.run("DBSIZE"))
  }

  @Test("What stays during a scan is met, while all else changes")
  func changes() {
    for number in 0..<1000 { _ = bench.run("SET stay:\(number) 1") }
    for number in 0..<1000 { _ = bench.run("SET go:\(number) 1") }
    let (keys, _, _) = scanAll("COUNT 7") { bench, page in
      for number in page * 20..<page * 20 + 20 {
        _ = bench.run("DEL go:\(number)")
        _ = bench.run("SET come:\(number) 1")
        _ = bench.run("SET s\(number) 1")
      }
    }
    let stayed = Set(keys.filter { $0.starts(with: "stay:".utf8) })
    #expect(stayed.count == 1000)
  }

  @Test("MATCH and TYPE choose among the keys")
  func filters() {
    for number in 0..<300 { _ = bench.run("SET user:\(number) 1") }
    for number in 0..<300 { _ = bench.run("SET item:\(number) 1") }
    #expect(Set(scanAll("MATCH user:*").keys).count == 300)
    #expect(Set(scanAll("MATCH *:1?").keys).count == 20)
    #expect(scanAll("TYPE STRING COUNT 1").keys.count == 600)
    #expect(scanAll("TYPE list").keys.isEmpty)
    #expect(scanAll("MATCH none*").pages == 1)
  }

  @Test("Cursors and options that are none are refused")
  func refusals() {
    let empty = Reply.array([.bulk("0"), .array([])])
    for cursor in ["0", "-1", "+5", "007", "18446744073709551615"] {
      #expect(bench.run("SCAN \(cursor)") == empty)
    }
    #expect(bench.run([Bytes("SCAN".utf8), []]) == empty)
    for cursor in ["x", "1x", "18446744073709551616", "-", "1.5"] {
      #expect(bench.run("SCAN \(cursor)") == .error("ERR invalid cursor"))
    }
    #expect(bench.run("SCAN 0 COUNT 0") == .error("ERR syntax error"))
    #expect(bench.run("SCAN 0 COUNT") == .error("ERR syntax error"))
    #expect(bench.run("SCAN 0 FOO 1") == .error("ERR syntax error"))
    #expect(bench.run("SCAN 0 COUNT x") == .error("ERR value is not an integer or out of range"))
    #expect(bench.run("SCAN 0 COUNT 9223372036854775807") == empty)
  }
}
