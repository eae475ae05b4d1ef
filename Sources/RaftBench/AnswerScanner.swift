/// Finds where answers end in what a node sends, without looking into them more than that takes.
struct AnswerScanner {
  /// What was found of one answer.
  enum Finding {
    /// It is complete, and ends before this position.
    case answer(end: Int, isError: Bool)
    /// More has to come.
    case incomplete
  }

  let wireProtocol: BenchPlan.WireProtocol

  func next(in bytes: UnsafeRawBufferPointer, from start: Int) -> Finding {
    switch wireProtocol {
    case .json:
      guard let end = newline(in: bytes, from: start) else { return .incomplete }
      return .answer(end: end + 1, isError: isJSONError(bytes, start..<end))
    case .resp: return resp(in: bytes, from: start)
    }
  }

  private func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var position = start
    while position < bytes.count {
      if bytes[position] == 10 { return position }
      position += 1
    }
    return nil
  }

  /// An error has `"error"` in it, which no answer of a value can have unescaped before its data.
  private func isJSONError(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    let mark = Array("\"error\":".utf8)
    var position = range.lowerBound
    while position + mark.count <= range.upperBound {
      if bytes[position] == mark[0], (0..<mark.count).allSatisfy({ bytes[position + $0] == mark[$0] }) {
        return true
      }
      position += 1
    }
    return false
  }

  private func resp(in bytes: UnsafeRawBufferPointer, from start: Int) -> Finding {
    guard let line = newline(in: bytes, from: start) else { return .incomplete }
    let kind = bytes[start]
    switch kind {
    case UInt8(ascii: "$"), UInt8(ascii: "*"):
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
    default: return .answer(end: line + 1, isError: kind == UInt8(ascii: "-"))
    }
  }

  private func number(in bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
    var value = 0
    var isNegative = false
    for position in start..<end {
      switch bytes[position] {
      case UInt8(ascii: "-"): isNegative = true
      case let digit where digit >= 48 && digit <= 57: value = 10 * value + Int(digit - 48)
      default: break
      }
    }
    return isNegative ? -1 : value
  }
}
