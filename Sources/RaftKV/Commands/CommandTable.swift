import RaftCore

/// The commands that there are.
public enum CommandTable {
  /// The most bytes that a string may grow to, piece by piece; client protocols hold a request to less.
  public static let longestString = 32 << 20
  /// Behind the last bit that may be asked for: that of the longest string of Redis.
  static let bitOffsetEnd: Int64 = 1 << 32

  /// How many databases clients can choose by number.
  public static let databases = 16

  /// The namespace that clients which count databases know by a number; nil if there is no such database.
  public static func namespace(ofDatabase number: Int) -> Bytes? {
    guard (0..<databases).contains(number) else { return nil }
    return Bytes((number == 0 ? "default" : String(number)).utf8)
  }

  /// All commands, in the order of their names.
  public static let all: [CommandInfo] =
    (strings + keys + expiries + bits + hyperLogLogs + bloomFilters + connections)
    .sorted { $0.name < $1.name }

  private static let byName = Dictionary(
    uniqueKeysWithValues: all.compactMap { info in PackedName(Bytes(info.name.utf8)).map { ($0, info) } })

  /// The command with that name, in any case; nil if there is none.
  public static func find(_ name: Bytes) -> CommandInfo? { PackedName(name).flatMap { byName[$0] } }

  /// A name in lower case in two numbers: every request looks for one, and needs no memory for that.
  private struct PackedName: Hashable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// No command has a longer name, nor one with a byte 0.
    init?(_ name: Bytes) {
      guard name.count <= 16, !name.contains(0) else { return nil }
      for byte in name {
        high = high << 8 | low >> 56
        low = low << 8 | UInt64((0x41...0x5A).contains(byte) ? byte + 0x20 : byte)
      }
    }
  }

  /// What is answered to a command that there is not.
  public static func unknownCommand(_ arguments: [Bytes]) -> String {
    let name = text(arguments.first ?? [], limit: 128)
    var rest = ""
    var length = 0
    for argument in arguments.dropFirst() where length < 128 {
      let shown = text(argument, limit: 128 - length)
      rest += "'" + shown + "' "
      length += shown.utf8.count + 3
    }
    return oneLine("ERR unknown command '\(name)', with args beginning with: \(rest)")
  }

  /// What is answered to a second word that `parent` does not know.
  public static func unknownSubcommand(_ word: Bytes, of parent: CommandInfo) -> String {
    oneLine("ERR unknown subcommand '\(text(word, limit: 128))'. Try \(parent.name.uppercased()) HELP.")
  }

  /// The first bytes of what a client sent, up to the first byte 0: to print it.
  private static func text(_ bytes: Bytes, limit: Int) -> String {
    String(decoding: bytes.prefix { $0 != 0 }.prefix(limit), as: UTF8.self)
  }

  /// An error is one line, whatever a client made it name, and does not end with a break.
  private static func oneLine(_ text: String) -> String {
    var scalars = text.unicodeScalars
    while let last = scalars.last, last == "\r" || last == "\n" { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars.map { $0 == "\r" || $0 == "\n" ? " " : $0 }))
  }
}

// MARK: - Data

extension CommandTable {
  private static let oneKey = (first: 1, last: 1, step: 1)
  private static let twoKeys = (first: 1, last: 2, step: 1)
  private static let allKeys = (first: 1, last: -1, step: 1)
  private static let keysAndValues = (first: 1, last: -1, step: 2)

  private static let strings: [CommandInfo] = [
    CommandInfo("get", 2, "readonly fast", keys: oneKey),
    CommandInfo("set", -3, "write denyoom", keys: oneKey),
    CommandInfo("setnx", 3, "write denyoom fast", keys: oneKey),
    CommandInfo("setex", 4, "write denyoom", keys: oneKey),
    CommandInfo("psetex", 4, "write denyoom", keys: oneKey),
    CommandInfo("getset", 3, "write denyoom fast", keys: oneKey),
    CommandInfo("getdel", 2, "write fast", keys: oneKey),
    CommandInfo("getex", -2, "write fast", keys: oneKey),
    CommandInfo("mget", -2, "readonly fast", keys: allKeys),
    CommandInfo("mset", -3, "write denyoom", keys: keysAndValues),
    CommandInfo("msetnx", -3, "write denyoom", keys: keysAndValues),
    CommandInfo("append", 3, "write denyoom fast", keys: oneKey),
    CommandInfo("strlen", 2, "readonly fast", keys: oneKey),
    CommandInfo("getrange", 4, "readonly", keys: oneKey),
    CommandInfo("substr", 4, "readonly", keys: oneKey),
    CommandInfo("setrange", 4, "write denyoom", keys: oneKey),
    CommandInfo("incr", 2, "write denyoom fast", keys: oneKey),
    CommandInfo("incrby", 3, "write denyoom fast", keys: oneKey),
    CommandInfo("incrbyfloat", 3, "write denyoom fast", keys: oneKey),
    CommandInfo("decr", 2, "write denyoom fast", keys: oneKey),
    CommandInfo("decrby", 3, "write denyoom fast", keys: oneKey),
  ]

  private static let keys: [CommandInfo] = [
    CommandInfo("del", -2, "write", keys: allKeys),
    CommandInfo("unlink", -2, "write fast", keys: allKeys),
    CommandInfo("exists", -2, "readonly fast", keys: allKeys),
    CommandInfo("touch", -2, "readonly fast", keys: allKeys),
    CommandInfo("type", 2, "readonly fast", keys: oneKey),
    CommandInfo("rename", 3, "write", keys: twoKeys),
    CommandInfo("renamenx", 3, "write fast", keys: twoKeys),
    CommandInfo("copy", -3, "write denyoom", keys: twoKeys),
    CommandInfo("keys", 2, "readonly"),
    CommandInfo("scan", -2, "readonly"),
    CommandInfo("randomkey", 1, "readonly"),
    CommandInfo("dbsize", 1, "readonly fast"),
    CommandInfo("flushdb", -1, "write"),
    CommandInfo("flushall", -1, "write"),
    CommandInfo(
      "object", -2, "",
      subcommands: ["encoding", "freq", "idletime", "refcount"].map {
        CommandInfo("object|\($0)", 3, "readonly", keys: (2, 2, 1))
      } + [CommandInfo("object|help", 2, "loading stale")]),
  ]

  private static let expiries: [CommandInfo] = [
    CommandInfo("expire", -3, "write fast", keys: oneKey),
    CommandInfo("pexpire", -3, "write fast", keys: oneKey),
    CommandInfo("expireat", -3, "write fast", keys: oneKey),
    CommandInfo("pexpireat", -3, "write fast", keys: oneKey),
    CommandInfo("ttl", 2, "readonly fast", keys: oneKey),
    CommandInfo("pttl", 2, "readonly fast", keys: oneKey),
    CommandInfo("expiretime", 2, "readonly fast", keys: oneKey),
    CommandInfo("pexpiretime", 2, "readonly fast", keys: oneKey),
    CommandInfo("persist", 2, "write fast", keys: oneKey),
  ]

  private static let bits: [CommandInfo] = [
    CommandInfo("getbit", 3, "readonly fast", keys: oneKey),
    CommandInfo("setbit", 4, "write denyoom", keys: oneKey),
    CommandInfo("bitcount", -2, "readonly", keys: oneKey),
    CommandInfo("bitpos", -3, "readonly", keys: oneKey),
  ]

  private static let hyperLogLogs: [CommandInfo] = [
    CommandInfo("pfadd", -2, "write denyoom fast", keys: oneKey),
    CommandInfo("pfcount", -2, "readonly", keys: allKeys),
    CommandInfo("pfmerge", -2, "write denyoom", keys: allKeys),
  ]

  private static let bloomFilters: [CommandInfo] = [
    CommandInfo("bf.reserve", -4, "write denyoom", keys: oneKey),
    CommandInfo("bf.add", 3, "write denyoom", keys: oneKey),
    CommandInfo("bf.madd", -3, "write denyoom", keys: oneKey),
    CommandInfo("bf.exists", 3, "readonly fast", keys: oneKey),
    CommandInfo("bf.mexists", -3, "readonly fast", keys: oneKey),
    CommandInfo("bf.info", -2, "readonly fast", keys: oneKey),
  ]
}

// MARK: - Connections

extension CommandTable {
  private static let connections: [CommandInfo] = [
    connection("ping", -1, "fast"),
    connection("echo", 2, "loading stale fast"),
    connection("quit", -1, "noscript loading stale fast no_auth allow_busy"),
    connection("reset", 1, "noscript loading stale fast no_auth allow_busy"),
    connection("hello", -1, "noscript loading stale fast no_auth allow_busy"),
    connection("auth", -2, "noscript loading stale fast no_auth allow_busy"),
    connection("select", 2, "loading stale fast"),
    connection("client", -2, ""),
    connection("command", -1, "loading stale"),
    connection("config", -2, ""),
    connection("info", -1, "loading stale"),
    connection("time", 1, "loading stale fast"),
    connection("multi", 1, "noscript loading stale fast allow_busy"),
    connection("exec", 1, "noscript loading stale skip_slowlog"),
    connection("discard", 1, "noscript loading stale fast allow_busy"),
    connection("watch", -2, "noscript loading stale fast allow_busy", keys: allKeys),
    connection("unwatch", 1, "noscript loading stale fast allow_busy"),
    connection("wait", 3, "noscript"),
    connection("function", -2, ""),
    connection("cluster", -2, ""),
    connection("replicaof", 3, "admin noscript stale no_async_loading"),
    connection("slaveof", 3, "admin noscript stale no_async_loading"),
    connection("namespaces", 1, "readonly"),
    connection("readonly", 1, "loading stale fast"),
    connection("readwrite", 1, "loading stale fast"),
  ]

  private static func connection(
    _ name: String, _ arity: Int, _ flags: String, keys: (first: Int, last: Int, step: Int) = (0, 0, 0)
  ) -> CommandInfo {
    CommandInfo(name, arity, flags, keys: keys, isConnection: true)
  }
}
