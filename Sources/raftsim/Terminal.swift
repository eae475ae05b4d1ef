import Glibc

/// How many processors there are.
var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

/// One line at the bottom of a terminal that changes; nothing if the output goes elsewhere.
struct Meter {
  let label: String
  private let isOn = isatty(STDERR_FILENO) == 1

  init(label: String) { self.label = label }

  func show(_ text: String) {
    guard isOn else { return }
    put("\r\u{1B}[K\(label): \(text)")
  }

  func end() {
    if isOn { put("\r\u{1B}[K") }
  }

  private func put(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// A file that cannot be written or read.
struct FileError: Error, CustomStringConvertible {
  let path: String
  let reason: String
  var description: String { "\(path): \(reason)" }
}

/// Writes a whole file.
func write(_ text: String, to path: String) throws(FileError) {
  guard let file = unsafe fopen(path, "w") else {
    throw FileError(path: path, reason: unsafe String(cString: strerror(errno)))
  }
  let bytes = Array(text.utf8)
  let written = unsafe fwrite(bytes, 1, bytes.count, file)
  guard unsafe fclose(file) == 0, written == bytes.count else {
    throw FileError(path: path, reason: "could not be written completely")
  }
}

/// Reads a whole file.
func read(_ path: String) throws(FileError) -> String {
  guard let file = unsafe fopen(path, "r") else {
    throw FileError(path: path, reason: unsafe String(cString: strerror(errno)))
  }
  defer { _ = unsafe fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = unsafe fread(&buffer, 1, buffer.count, file)
    guard count > 0 else { break }
    bytes += buffer[..<count]
  }
  return String(decoding: bytes, as: UTF8.self)
}
