import Foundation

/// A sequence of requests whose answers are compared between Redis and a node; see ``RedisCase/parse(_:)``.
struct RedisCase: Hashable, Sendable {
  enum Action: Hashable, Sendable {
    /// Sends a request as an array of bulk strings some times, and takes as many answers.
    case request([[UInt8]], times: Int)
    /// Sends a request as an array of bulk strings, and takes no answer.
    case silent([[UInt8]])
    /// Sends bytes as they are.
    case raw([UInt8])
    /// Takes answers.
    case replies(Int)
    /// Takes everything until the server closes, having said, or not, that nothing more will be sent.
    case end(isSaid: Bool)
    /// Lets time pass.
    case wait(milliseconds: UInt32)
  }

  /// How two answers are compared. Everything is compared byte for byte, unless a case says otherwise.
  enum Comparison: Hashable, Sendable {
    case bytes
    /// `~5`: two numbers may be this far apart, because time passes between the two.
    case near(Int64)
    /// `any`: an answer of the same type. It is a number that each server gives out.
    case type
    /// `but-id`: the number of the connection in the answer to HELLO is left out.
    case butID
    /// `shape`: numbers are left out. It is the time.
    case shape
    /// `fields`: what stands behind `=`, up to the next space, and the length. It is what CLIENT LIST tells.
    case fields
    /// `sorted`: lines in any order. The answer is a set, and Redis gives the order of its hash table.
    case sorted
    /// `first6`: of each command that COMMAND INFO describes, the first six fields.
    case firstSix
  }

  struct Step: Hashable, Sendable {
    var text: String
    var action: Action
    var comparison = Comparison.bytes
    /// Which of the connections sends it.
    var connection = 1
    /// What the answers are if they are meant to differ.
    var redis: Expected?
    var node: Expected?
  }

  /// An answer, or how it begins.
  struct Expected: Hashable, Sendable {
    var bytes: [UInt8]
    var isPrefix: Bool

    func matches(_ answer: [UInt8]) -> Bool { isPrefix ? answer.starts(with: bytes) : answer == bytes }
  }

  var name: String
  var steps: [Step] = []

  /// Whether the two servers are meant to answer differently somewhere.
  var isDeliberate: Bool { steps.contains { $0.redis != nil || $0.node != nil } }
}

extension RedisCase {
  /// Reads cases. A line that is not indented names one, and those that are indented are its requests, in words as
  /// redis-cli takes them: with quotes and escapes; `{id}` is the number of the connection. A request may have before
  /// it: `@2` for a second connection, a word that says how answers are compared, and
  ///
  /// - `1000 times` to send it that often at once,
  /// - `send` to take no answer,
  /// - `inline` to send it as a line,
  /// - `raw` to send the bytes of one word, and `raw-repeat 70000` to repeat it up to that many bytes.
  ///
  /// Other lines are `reply` or `3 replies` to take answers, `end` and `closed` to take everything to the end, `wait`
  /// and a number of milliseconds, and, below a request whose answers are meant to differ, `redis` and `node` with what
  /// they answer; `...` behind it if that is only how it begins.
  static func parse(_ text: String) throws -> [RedisCase] {
    var cases: [RedisCase] = []
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      if !line.hasPrefix(" ") {
        cases.append(RedisCase(name: String(line)))
        continue
      }
      guard let last = cases.indices.last else { throw NeverHappened("a case has a name before '\(line)'") }
      let rest = line.drop { $0 == " " }
      let stepLast = cases[last].steps.indices.last
      if rest.hasPrefix("redis \""), let stepLast {
        cases[last].steps[stepLast].redis = try expected(rest.dropFirst(6))
      } else if rest.hasPrefix("node \""), let stepLast {
        cases[last].steps[stepLast].node = try expected(rest.dropFirst(5))
      } else {
        cases[last].steps.append(try step(rest))
      }
    }
    return cases
  }

  private static func expected(_ text: Substring) throws -> Expected {
    let isPrefix = text.hasSuffix("...")
    guard let word = try words(isPrefix ? text.dropLast(3) : text).first else {
      throw NeverHappened("'\(text)' is one word in quotes")
    }
    return Expected(bytes: word, isPrefix: isPrefix)
  }

  private static func step(_ line: Substring) throws -> Step {
    var rest = line
    var step = Step(text: String(line), action: .replies(1))
    if rest.hasPrefix("@"), let number = rest.dropFirst().first?.wholeNumberValue {
      step.connection = number
      rest = rest.dropFirst(3)
    }
    let word = String(rest.prefix { $0 != " " })
    if let comparison = comparison(word) {
      step.comparison = comparison
      rest = rest.dropFirst(word.count + 1)
    }
    step.action = try action(rest)
    return step
  }

  private static func comparison(_ word: String) -> Comparison? {
    switch word {
    case "any": .type
    case "but-id": .butID
    case "shape": .shape
    case "fields": .fields
    case "sorted": .sorted
    case "first6": .firstSix
    default: word.hasPrefix("~") ? Int64(word.dropFirst()).map { .near($0) } : nil
    }
  }

  private static func action(_ text: Substring) throws -> Action {
    let pieces = text.split(separator: " ", maxSplits: 2)
    let rest = text.dropFirst((pieces.first?.count ?? 0) + 1)
    switch (pieces.first ?? "", pieces.count > 1 ? pieces[1] : "") {
    case ("reply", ""): return .replies(1)
    case ("end", ""): return .end(isSaid: true)
    case ("closed", ""): return .end(isSaid: false)
    case ("wait", let time): return .wait(milliseconds: UInt32(time) ?? 0)
    case ("send", _): return .silent(try words(rest))
    case ("inline", _): return .raw(Array(rest.utf8) + [13, 10])
    case ("raw", _): return .raw(try words(rest).first ?? [])
    case ("raw-repeat", let count):
      let piece = Array(rest.dropFirst(count.count + 1).utf8)
      return .raw((0..<(Int(count) ?? 0)).map { piece[$0 % piece.count] })
    case (let count, "replies"): return .replies(Int(count) ?? 0)
    case (let count, "times"): return .request(try words(pieces[2]), times: Int(count) ?? 0)
    default: return .request(try words(text), times: 1)
    }
  }

  /// Splits a line as redis-cli does.
  private static func words(_ line: Substring) throws -> [[UInt8]] {
    var words: [[UInt8]] = []
    var rest = line.utf8
    while let first = rest.first {
      if first == UInt8(ascii: " ") {
        rest.removeFirst()
        continue
      }
      var word: [UInt8] = []
      while let byte = rest.first, byte != UInt8(ascii: " ") {
        rest.removeFirst()
        if byte == UInt8(ascii: "\"") { word += try quoted(&rest, of: line) } else { word.append(byte) }
      }
      words.append(word)
    }
    return words
  }

  private static func quoted(_ rest: inout Substring.UTF8View, of line: Substring) throws -> [UInt8] {
    var word: [UInt8] = []
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\"") { return word }
      guard byte == UInt8(ascii: "\\"), let next = rest.popFirst() else {
        word.append(byte)
        continue
      }
      switch next {
      case UInt8(ascii: "n"): word.append(10)
      case UInt8(ascii: "r"): word.append(13)
      case UInt8(ascii: "t"): word.append(9)
      case UInt8(ascii: "x"):
        word.append(UInt8(Substring(rest.prefix(2)), radix: 16) ?? 0)
        rest.removeFirst(2)
      default: word.append(next)
      }
    }
    throw NeverHappened("a quote ends in '\(line)'")
  }
}
