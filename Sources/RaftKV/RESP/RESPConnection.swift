import RaftCore
import RaftServer

/// The Redis protocol on one connection, as a value without I/O: bytes in, steps out; answers in, bytes out.
///
/// Requests take effect in their order, and are answered in it. Writes that have arrived together and follow each other are
/// one step, and so are reads: a client that sends many requests at once has them carried out at the price of few. A step
/// begins when the one before it is answered.
///
/// The shell calls ``received(_:)``, and then, after that and after each answer, ``next(_:)`` until it is nil; then it sends
/// ``takeOutput()``, and heeds ``wantsReading`` and ``isFinished``.
struct RESPConnection: Sendable {
  /// Something for the replica to do.
  enum Step: Hashable, Sendable {
    /// Commands that change something, each answered by itself.
    case write([KeyValueCall])
    /// Commands that change nothing.
    case read([KeyValueCall])
    /// Commands that run at once, if no watched key has changed.
    case transaction([KeyValueCall], watched: [WatchedKey])
    /// The versions of keys.
    case watch([WatchedKey])
    /// The names of all namespaces.
    case namespaces
  }

  /// What is under way.
  enum Underway: Hashable, Sendable {
    case group
    case transaction([Queued])
    case watch
    case namespaces
  }

  /// A command of a transaction.
  enum Queued: Hashable, Sendable {
    case call(KeyValueCall)
    /// It says nothing of the data, and was answered when it came.
    case answered(Reply)
  }

  let options: RESPOptions
  let id: UInt64
  private var parser: RESPParser
  var writer = RESPWriter()
  /// A request that did not fit into the step before it.
  private var held: [Bytes]?
  private(set) var underway: Underway?
  /// Whether no further request is taken.
  private(set) var isClosing = false
  private var isInputOver = false
  /// What the client is told last.
  private var farewell: String?
  /// Whether nothing that has arrived is left to be looked at.
  private var isDrained = true

  // What the client has set.
  var namespace = Bytes("default".utf8)
  var database = 0
  var name: Bytes = []
  var library: Bytes = []
  var libraryVersion: Bytes = []

  // A transaction.
  var queue: [Queued]?
  var queuedBytes = 0
  var isAborted = false
  var watched: [WatchedKey] = []

  init(id: UInt64, options: RESPOptions = RESPOptions()) {
    self.id = id
    self.options = options
    parser = RESPParser(wordBytesMax: options.wordBytesMax)
  }

  // MARK: - Bytes

  mutating func received(_ bytes: Bytes) {
    guard !isClosing else { return }
    isDrained = false
    parser.append(bytes)
  }

  /// The client sends nothing more.
  mutating func inputEnded() { isInputOver = true }

  /// Tells the client that it is turned away, behind all answers, and ends the connection.
  mutating func turnAway(_ text: String) {
    guard !isClosing else { return }
    isClosing = true
    farewell = text
  }

  /// Takes no further requests; the connection ends when what is there is sent.
  mutating func close() { isClosing = true }

  mutating func takeOutput() -> Bytes {
    if underway == nil, let text = farewell {
      farewell = nil
      writer.write(.error(text))
    }
    return writer.take()
  }

  var heldBytes: Int { parser.heldBytes + writer.bytes.count + queuedBytes }
  /// Whether more requests should be read from the connection.
  var wantsReading: Bool { !isClosing && (isDrained || parser.heldBytes < options.requestBytesMax) }
  /// Whether the connection ends when all output is sent.
  var isFinished: Bool { underway == nil && (isClosing || isInputOver && isDrained) }

  // MARK: - Steps

  /// The next thing to do; nil if there is none at the moment.
  mutating func next(_ facts: () -> RESPFacts) -> Step? {
    guard underway == nil else { return nil }
    var group = Group()
    while !isClosing, writer.bytes.count < options.outputBytesMax, let request = takeRequest() {
      if queue == nil, let call = dataCall(request), let info = CommandTable.find(request[0]) {
        guard group.takes(call, info.isWrite, options) else {
          held = request
          break
        }
        continue
      }
      guard group.calls.isEmpty else {
        held = request
        break
      }
      if let (step, underway) = perform(request, facts) {
        self.underway = underway
        return step
      }
    }
    guard !group.calls.isEmpty else { return nil }
    underway = .group
    return group.isWrite ? .write(group.calls) : .read(group.calls)
  }

  /// Commands that are carried out together.
  private struct Group {
    var calls: [KeyValueCall] = []
    var isWrite = false
    private var bytes = 0

    mutating func takes(_ call: KeyValueCall, _ isWrite: Bool, _ options: RESPOptions) -> Bool {
      if !calls.isEmpty {
        guard isWrite == self.isWrite, bytes + call.bytes <= options.groupBytesMax,
          calls.count < options.groupCountMax
        else { return false }
      }
      self.isWrite = isWrite
      bytes += call.bytes
      calls.append(call)
      return true
    }
  }

  private mutating func takeRequest() -> [Bytes]? {
    if let request = held {
      held = nil
      return request
    }
    do throws(RESPProtocolError) {
      let request = try parser.next()
      isDrained = request == nil
      return request
    } catch {
      writer.write(.error(error.text))
      isClosing = true
      return nil
    }
  }

  /// A command on data that may run; nil if it is another one, or has a fault that shows at once.
  private func dataCall(_ request: [Bytes]) -> KeyValueCall? {
    guard let info = CommandTable.find(request[0]), !info.isConnection, fault(of: request, info) == nil
    else { return nil }
    return KeyValueCall(namespace: namespace, arguments: request)
  }

  /// What is wrong with a request, whatever the data is.
  func fault(of request: [Bytes], _ info: CommandInfo) -> String? {
    guard info.accepts(argumentCount: request.count) else {
      return "ERR wrong number of arguments for '\(info.name)' command"
    }
    if let long = request.first(where: { $0.count > options.valueBytesMax }) {
      return
        "ERR string exceeds maximum allowed size (\(long.count) bytes; the limit is \(options.valueBytesMax))"
    }
    for position in info.keyIndices(argumentCount: request.count)
    where request[position].count > options.keyBytesMax {
      return "ERR key is too long (\(request[position].count) bytes; the limit is \(options.keyBytesMax))"
    }
    return nil
  }

  // MARK: - Answers

  /// The end of ``Step/write(_:)``, ``Step/read(_:)`` or ``Step/transaction(_:watched:)``.
  mutating func answer(_ result: Result<KeyValueOutcome, ReplicaError>, count: Int) {
    guard let ended = underway else { return }
    underway = nil
    switch (ended, result) {
    case (.group, .success(.replies(let replies))): for reply in replies { writer.write(reply) }
    case (.transaction(let queued), .success(.replies(let replies))):
      var rest = replies[...]
      writer.write(
        .array(
          queued.map { item in
            switch item {
            case .answered(let reply): reply
            case .call: rest.popFirst() ?? .null
            }
          }))
    case (.transaction, .success(.changed)): writer.write(.nullArray)
    case (_, .failure(let error)): for _ in 0..<count { writer.write(.error(Self.text(of: error))) }
    case (_, .success): for _ in 0..<count { writer.write(.error("ERR the answer cannot be read")) }
    }
  }

  /// The end of ``Step/watch(_:)``.
  mutating func answer(versions: Result<[WatchedKey], ReplicaError>) {
    underway = nil
    switch versions {
    case .success(let keys):
      // The first version that was seen of a key is the one that counts.
      watched += keys.filter { key in
        !watched.contains { $0.namespace == key.namespace && $0.key == key.key }
      }
      writer.write(.ok)
    case .failure(let error): writer.write(.error(Self.text(of: error)))
    }
  }

  /// The end of ``Step/namespaces``.
  mutating func answer(namespaces: Result<[Bytes], ReplicaError>) {
    underway = nil
    switch namespaces {
    case .success(let names): writer.write(.array(names.map { .bulk($0) }))
    case .failure(let error): writer.write(.error(Self.text(of: error)))
    }
  }

  /// What a client can act on: `TRYAGAIN` promises that nothing was done, `UNKNOWN` that it is not known.
  private static func text(of error: ReplicaError) -> String {
    switch error {
    case .notExecuted(let reason): "TRYAGAIN not executed: \(reason.explanation)"
    case .unknown(let reason): "UNKNOWN outcome unknown: \(reason.explanation)"
    }
  }
}
