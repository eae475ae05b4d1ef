/// Why a command is refused: the text of an error that it answers.
struct CommandError: Error, Hashable {
  var text: String

  init(_ text: String) { self.text = text }

  static var syntax: Self { Self("ERR syntax error") }
  static var notInteger: Self { Self("ERR value is not an integer or out of range") }
  static var notFloat: Self { Self("ERR value is not a valid float") }
  static var overflow: Self { Self("ERR increment or decrement would overflow") }
  static var noSuchKey: Self { Self("ERR no such key") }
  static var tooLong: Self { Self("ERR string exceeds maximum allowed size (proto-max-bulk-len)") }
  static var wrongType: Self {
    Self("WRONGTYPE Operation against a key holding the wrong kind of value")
  }

  static func arity(_ name: String) -> Self {
    Self("ERR wrong number of arguments for '\(name)' command")
  }

  static func invalidExpiry(_ name: String) -> Self {
    Self("ERR invalid expire time in '\(name)' command")
  }
}
