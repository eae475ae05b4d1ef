import RaftCore

/// What a command answers: a value that every client protocol can write in its own form, the same on every replica.
public indirect enum Reply: Hashable, Sendable {
  /// Nothing: RESP2 writes a null bulk string, RESP3 `_`.
  case null
  /// Nothing in the place of a list: RESP2 writes a null array, RESP3 `_`.
  case nullArray
  /// A short text without line breaks, such as `OK`.
  case status(String)
  /// An error: a code in capitals, a space, and a sentence, such as `ERR syntax error`.
  case error(String)
  /// A whole number.
  case integer(Int64)
  /// A number with a fraction, as the text that it is written with; RESP2 writes a bulk string.
  case double(String)
  /// Bytes.
  case bulk(Bytes)
  /// A list.
  case array([Reply])
  /// Pairs, in their order; RESP2 writes a flat list.
  case map([Pair])
  /// A list without order and repetition; RESP2 writes a list.
  case set([Reply])
  /// Yes or no; RESP2 writes 1 or 0.
  case boolean(Bool)
  /// Text with a format of three letters; RESP2 writes a bulk string.
  case verbatim(format: String, text: Bytes)

  /// One pair of a ``Reply/map(_:)``.
  public struct Pair: Hashable, Sendable {
    /// What is named.
    public var key: Reply
    /// What belongs to it.
    public var value: Reply

    /// Joins the two.
    public init(_ key: Reply, _ value: Reply) {
      self.key = key
      self.value = value
    }
  }

  /// The status `OK`.
  public static var ok: Reply { .status("OK") }

  /// Text as bytes.
  public static func bulk(_ text: String) -> Reply { .bulk(Bytes(text.utf8)) }
}
