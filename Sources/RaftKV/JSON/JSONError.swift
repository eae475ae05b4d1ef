/// How much of a JSON text is taken before it is refused.
public struct JSONLimits: Hashable, Sendable {
  /// The most bytes of one text, white space inside it included.
  public var bytesMax: Int
  /// How deep arrays and objects may be nested; the outermost one counts as 1.
  public var nestingMax: Int
  /// The most members of the outermost object, repeated names included.
  public var membersMax: Int

  /// Names the limits.
  public init(bytesMax: Int = 4 << 20, nestingMax: Int = 128, membersMax: Int = 256) {
    self.bytesMax = bytesMax
    self.nestingMax = nestingMax
    self.membersMax = membersMax
  }
}

/// Why bytes are not taken as a JSON text.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of wrong.
  public enum Kind: Hashable, Sendable {
    /// The bytes are no JSON by RFC 8259.
    case malformed
    /// The text is longer than ``JSONLimits/bytesMax``.
    case tooLarge
    /// Arrays and objects are nested deeper than ``JSONLimits/nestingMax``.
    case tooDeep
    /// The outermost object has more members than ``JSONLimits/membersMax``.
    case tooManyMembers
  }

  /// What kind of wrong it is.
  public let kind: Kind
  /// What is wrong, for a person.
  public let reason: String
  /// Where it is, in bytes from the start of the text.
  public let offset: Int

  /// Says what is wrong at `offset`.
  public init(_ kind: Kind, _ reason: String, offset: Int) {
    self.kind = kind
    self.reason = reason
    self.offset = offset
  }

  /// The reason and the place.
  public var description: String { "\(reason) at byte \(offset)" }
}
