import Glibc

/// Finds where answers end in what a node sends, without looking into them more than that takes.
struct AnswerScanner {
  /// What was found of one answer.
  enum Finding: Equatable {
    /// It is complete, and ends before this position.
    case answer(end: Int, isError: Bool)
    /// More has to come.
    case incomplete
    /// This is not how the protocol's answers begin.
    case foreign
  }

  let wireProtocol: BenchPlan.WireProtocol

  func next(in bytes: UnsafeRawBufferPointer, from start: Int) -> Finding {
    guard start < bytes.count else { return .incomplete }
    switch wireProtocol {
    case .json:
      guard bytes[start] == UInt8(ascii: "{") else { return .foreign }
      guard let end = newline(in: bytes, from: start) else { return .incomplete }
      return .answer(end: end + 1, isError: isJSONError(bytes, start..<end))
    case .resp: return resp(in: bytes, from: start)
    }
  }

  /// What an error is called, and its text.
  func failure(in answer: UnsafeRawBufferPointer) -> (code: String, text: String) {
    let text = String(decoding: answer, as: UTF8.self)
    switch wireProtocol {
    case .resp:
      let line = text.drop { $0 == "-" }.prefix { !$0.isNewline }
      return (String(line.prefix { $0 != " " }), String(line))
    case .json:
      let mark = "\"code\":\""
      guard let start = text.firstRange(of: mark)?.upperBound else { return ("error", text) }
      return (String(text[start...].prefix { $0 != "\"" }), String(text.prefix { !$0.isNewline }))
    }
  }

  private func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress, start < bytes.count,
      let found = memchr(base + start, 10, bytes.count - start)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// An error has `"error":` behind its type and `"data":false`; nothing that a client has chosen can stand before that.
  private func isJSONError(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    // The answers to a put and a get that succeeded, told by the first byte of their data.
    let first = range.lowerBound + 21
    if first < range.upperBound, bytes[first - 1] == UInt8(ascii: ":"),
      bytes[first] == UInt8(ascii: "t") || bytes[first] == UInt8(ascii: "{")
    {
      return false
    }
    let mark: StaticString = "\"error\":"
    let last = min(range.upperBound, range.lowerBound + 64) - mark.utf8CodeUnitCount
    var position = range.lowerBound
    while position <= last, let base = bytes.baseAddress {
      if memcmp(base + position, mark.utf8Start, mark.utf8CodeUnitCount) == 0 { return true }
      position += 1
    }
    return false
  }

  private func resp(in bytes: UnsafeRawBufferPointer, from start: Int) -> Finding {
    guard start < bytes.count else { return .incomplete }
    let kind = bytes[start]
    switch kind {
    case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "_"):
      guard let line = newline(in: bytes, from: start) else { return .incomplete }
      return .answer(end: line + 1, isError: kind == UInt8(ascii: "-"))
    case UInt8(ascii: "$"), UInt8(ascii: "*"):
      guard let line = newline(in: bytes, from: start) else { return .incomplete }
      let count = number(in: bytes, from: start + 1, to: line)
      guard count >= 0 else { return .answer(end: line + 1, isError: false) }
      if kind == UInt8(ascii: "$") {
        let end = line + 1 + count + 2
        return end <= bytes.count ? .answer(end: end, isError: false) : .incomplete
      }
      var position = line + 1
      for _ in 0..<count {
        guard case .answer(let end, _) = resp(in: bytes, from: position) else { return .incomplete }
        position = end
      }
      return .answer(end: position, isError: false)
    default: return .foreign
    }
  }

  private func number(in bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
    var value = 0
    for position in start..<min(end, start + 12) {
      switch bytes[position] {
      case UInt8(ascii: "-"): return -1
      case let digit where digit >= 48 && digit <= 57: value = 10 * value + Int(digit - 48)
      default: break
      }
    }
    return value
  }
}
