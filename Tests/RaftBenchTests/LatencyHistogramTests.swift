import Testing

@testable import RaftBench

@Suite("Latencies")
struct LatencyHistogramTests {
  @Test("percentiles are right to within one percent, whatever the range")
  func percentiles() {
    var histogram = LatencyHistogram()
    let values = (1...10_000).map { UInt64($0) * UInt64($0) * 7 }
    for value in values { histogram.record(value) }
    #expect(histogram.count == 10_000)
    #expect(histogram.longest == values.last)
    for percent in [0.01, 1, 50, 90, 99, 99.9, 100] {
      let exact = values[max(0, Int((percent / 100 * 10_000).rounded(.up)) - 1)]
      let told = histogram.percentile(percent)
      #expect(
        told >= exact && Double(told) <= Double(exact) * 1.01 + 1, "\(percent) %: \(told), not \(exact)")
    }
  }

  @Test("the shortest and the longest latencies that can be told are counted")
  func extremes() {
    var histogram = LatencyHistogram()
    histogram.record(0)
    histogram.record(.max)
    #expect(histogram.percentile(1) == 0)
    #expect(histogram.percentile(100) == .max)
    #expect(LatencyHistogram().percentile(50) == 0)
  }

  @Test("two histograms add up")
  func adding() {
    var (first, second) = (LatencyHistogram(), LatencyHistogram())
    first.record(10)
    second.record(30)
    first.add(second)
    #expect(first.count == 2)
    #expect(first.mean == 20)
    #expect(first.percentile(100) == 30)
  }
}

@Suite("Finding the ends of answers")
struct AnswerScannerTests {
  private func answers(_ text: some Sequence<UInt8>, _ wireProtocol: BenchPlan.WireProtocol) -> [(Int, Bool)]
  {
    let scanner = AnswerScanner(wireProtocol: wireProtocol)
    return Array(text).withUnsafeBytes { bytes in
      var (found, position) = ([(Int, Bool)](), 0)
      while position < bytes.count,
        case .answer(let end, let isError) = scanner.next(in: bytes, from: position)
      {
        found.append((end - position, isError))
        position = end
      }
      return found
    }
  }

  @Test("of each kind that a server of Redis's protocol sends, and not before they are there")
  func resp() {
    let whole = "+OK\r\n:12\r\n$5\r\nab\r\nc\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n-ERR no\r\n"
    let found = answers(whole.utf8, .resp)
    #expect(found.map(\.0) == [5, 5, 11, 5, 19, 9])
    #expect(found.map(\.1) == [false, false, false, false, false, true])
    for count in 0..<5 { #expect(answers(whole.utf8.prefix(count), .resp).isEmpty) }
  }

  @Test("of JSON, in lines")
  func json() {
    let found = answers(
      "{\"type\":\"put\",\"data\":true}\n{\"type\":\"put\",\"data\":false,\"error\":{}}\n{\"ty".utf8, .json)
    #expect(found.map(\.1) == [false, true])
  }
}
