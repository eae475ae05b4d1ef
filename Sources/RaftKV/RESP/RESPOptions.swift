/// The limits of the Redis protocol. Everything that a client can make grow has one.
public struct RESPOptions: Hashable, Sendable {
  /// The most bytes of a key. Default 4 KiB.
  public var keyBytesMax = 4 << 10
  /// The most bytes of a value, or any other argument. Default 1 MiB.
  public var valueBytesMax = 1 << 20
  /// The most bytes of one word of a request; beyond it the connection is closed. Default 4 MiB.
  public var wordBytesMax = 4 << 20
  /// The most bytes of requests that are held for one connection; beyond it the connection is not read any further.
  /// Default 4 MiB.
  public var requestBytesMax = 4 << 20
  /// The most bytes of commands that are carried out together. Default 512 KiB.
  public var groupBytesMax = 512 << 10
  /// The most commands that are carried out together. Default 1,024.
  public var groupCountMax = 1_024
  /// The most commands of a transaction. Default 10,000; and their bytes have to fit into one command of the log.
  public var transactionCountMax = 10_000
  /// The most keys that one connection watches. Default 10,000.
  public var watchedMax = 10_000
  /// While this many bytes of answers wait to be taken by the client, no further requests are carried out. Default 1 MiB.
  public var outputBytesMax = 1 << 20

  /// The defaults.
  public init() {}
}
