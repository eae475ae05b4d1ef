import Glibc

/// Tells somebody at a terminal what takes so long: one line on standard error, written over and over. Nothing is written
/// within the first second, nor where nobody looks.
final class ProgressLine {
  private let isSeen: Bool
  private var tellsAt: UInt64
  private var width = 0

  init() {
    isSeen = isatty(STDERR_FILENO) == 1
    tellsAt = Self.milliseconds + 1_000
  }

  func tell(_ text: String) {
    guard isSeen, Self.milliseconds >= tellsAt else { return }
    tellsAt = Self.milliseconds + 200
    write(text)
  }

  /// Wipes the line out, before something else is written.
  func end() {
    guard width > 0 else { return }
    write("")
    put("\r")
    width = 0
  }

  private func write(_ text: String) {
    put("\r" + text + String(repeating: " ", count: max(0, width - text.count)))
    width = text.count
  }

  private func put(_ text: String) { _ = Glibc.write(STDERR_FILENO, text, text.utf8.count) }

  private static var milliseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
  }
}
