import ArgumentParser
import Glibc
import RaftCore

/// The inputs to begin with: one a line, with `\r`, `\n`, `\\` and `\x00` for what cannot stand there.
enum Corpus {
  /// Reads a file; empty if there is none.
  static func read(_ path: String) throws -> [Bytes] {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var text: Bytes = []
    var buffer = Bytes(repeating: 0, count: 64 << 10)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { break }
      text += buffer[..<count]
    }
    return text.split(separator: 0x0A).filter { $0.first != UInt8(ascii: "#") }.map { unescaped($0) }
  }

  private static func unescaped(_ line: ArraySlice<UInt8>) -> Bytes {
    var bytes: Bytes = []
    var rest = line
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let next = rest.popFirst() else {
        bytes.append(byte)
        continue
      }
      switch next {
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "x"):
        bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      default: bytes.append(next)
      }
    }
    return bytes
  }

  /// An input as a line.
  static func escaped(_ bytes: Bytes) -> String {
    bytes.map { byte in
      switch byte {
      case 0x0D: "\\r"
      case 0x0A: "\\n"
      case UInt8(ascii: "\\"): "\\\\"
      case 0x20..<0x7F: String(UnicodeScalar(byte))
      default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}

/// How much memory the process has.
enum Memory {
  /// Now, in bytes.
  static var resident: Int { field("VmRSS:") }
  /// At the most so far, in bytes.
  static var peak: Int { field("VmHWM:") }

  private static func field(_ name: String) -> Int {
    let lines = (try? Corpus.read("/proc/self/status")) ?? []
    for line in lines {
      let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
      if words.count > 1, words[0] == name { return (Int(words[1]) ?? 0) << 10 }
    }
    return 0
  }
}
