import RaftCore

/// What an amount of time is counted in.
enum TimeUnit {
  case seconds, milliseconds
}

/// The words after key and value of SET, and after the key of GETEX.
struct SetOptions {
  enum Command {
    case set, get
  }

  private(set) var onlyIfAbsent = false
  private(set) var onlyIfPresent = false
  private(set) var returnsOld = false
  private(set) var keepsExpiry = false
  private(set) var persists = false
  private var deadline: (word: String, amount: Bytes)?

  /// Whether it matters what stands there before.
  var asksForPresence: Bool { onlyIfAbsent || onlyIfPresent || keepsExpiry }

  /// Reads the arguments from `first` on.
  init(_ call: CommandCall, from first: Int, allowing command: Command) throws(CommandError) {
    var index = first
    while index < call.count {
      let word = call.option(index)
      if Self.deadlines.contains(word) {
        guard !keepsExpiry, !persists, deadline.map({ $0.word == word }) ?? true, index + 1 < call.count
        else {
          throw .syntax
        }
        deadline = (word, call[index + 1])
        index += 2
        continue
      }
      try take(word, command)
      index += 1
    }
  }

  private mutating func take(_ word: String, _ command: Command) throws(CommandError) {
    switch (word, command) {
    case ("NX", .set) where !onlyIfPresent: onlyIfAbsent = true
    case ("XX", .set) where !onlyIfAbsent: onlyIfPresent = true
    case ("GET", .set): returnsOld = true
    case ("KEEPTTL", .set) where deadline == nil: keepsExpiry = true
    case ("PERSIST", .get) where deadline == nil: persists = true
    default: throw .syntax
    }
  }

  private static let deadlines = ["EX", "PX", "EXAT", "PXAT"]

  /// When the value expires, if there was a word on it.
  func expiry(for call: CommandCall, at time: UInt64) throws(CommandError) -> UInt64? {
    guard let (word, amount) = deadline else { return nil }
    return try Self.expiry(
      amount, word.hasPrefix("E") ? .seconds : .milliseconds, isRelative: !word.hasSuffix("AT"), for: call,
      at: time)
  }

  /// When a value expires that does so after some time, or at a moment.
  static func expiry(
    _ amount: Bytes, _ unit: TimeUnit, isRelative: Bool, for call: CommandCall, at time: UInt64
  ) throws(CommandError) -> UInt64 {
    guard let number = NumberText.integer(amount) else { throw .notInteger }
    guard number > 0 else { throw .invalidExpiry(call.info.name) }
    let (scaled, overflow) = number.multipliedReportingOverflow(by: unit == .seconds ? 1000 : 1)
    let (sum, overflowed) = scaled.addingReportingOverflow(isRelative ? Int64(clamping: time) : 0)
    guard !overflow, !overflowed else { throw .invalidExpiry(call.info.name) }
    return UInt64(sum)
  }
}
