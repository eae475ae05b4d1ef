import RaftCore

/// One command with its arguments, and the namespace that it runs in.
struct CommandCall {
  /// The name, and what follows it.
  let arguments: [Bytes]
  /// Where the keys are.
  let namespace: Bytes
  /// What the command is.
  let info: CommandInfo

  /// How many arguments there are, with the name.
  var count: Int { arguments.count }
  /// The first argument, which most commands take a key in.
  var key: Bytes { arguments[1] }

  subscript(index: Int) -> Bytes { arguments[index] }

  /// The argument as the word of an option, in capitals.
  func option(_ index: Int) -> String {
    String(decoding: arguments[index].map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }, as: UTF8.self)
  }

  /// The argument as a whole number.
  func integer(_ index: Int) throws(CommandError) -> Int64 {
    guard let value = NumberText.integer(arguments[index]) else { throw .notInteger }
    return value
  }

  /// The refusal of a number of arguments that the arity alone does not exclude.
  var wrongArity: CommandError { .arity(info.name) }
}
