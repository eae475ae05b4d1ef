import Glibc
import Logging

/// Writes each message as one line to standard error: time in UTC with milliseconds, level, message.
///
/// Elections last milliseconds, so times without them could not be compared between nodes.
struct LineLogHandler: LogHandler {
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(level: Logger.Level) { logLevel = level }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    StandardError.write(Self.line(now, event.level, event.message.description))
  }

  /// `2026-01-31T23:59:59.042Z warning lost 127.0.0.1:5002`
  static func line(_ now: timespec, _ level: Logger.Level, _ message: String) -> String {
    var seconds = now.tv_sec
    var date = tm()
    gmtime_r(&seconds, &date)
    let day =
      "\(padded(Int(date.tm_year) + 1900, 4))-\(padded(Int(date.tm_mon) + 1, 2))-\(padded(Int(date.tm_mday), 2))"
    let time = "\(padded(Int(date.tm_hour), 2)):\(padded(Int(date.tm_min), 2)):\(padded(Int(date.tm_sec), 2))"
    let milliseconds = padded(now.tv_nsec / 1_000_000, 3)
    return "\(day)T\(time).\(milliseconds)Z \(level.rawValue) \(printable(message))"
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  /// Text from the network may be in a message, and must not forge lines or drive the terminal.
  private static func printable(_ message: String) -> String {
    var text = ""
    for scalar in message.unicodeScalars {
      if scalar.properties.generalCategory == .control {
        text += scalar.escaped(asASCII: true)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

/// The process's standard error.
enum StandardError {
  /// Writes one line with one system call, so that lines of several threads or processes do not mix.
  static func write(_ line: String) {
    var bytes = Array("\(line)\n".utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // Nobody is left to be told that the log cannot be written.
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}
