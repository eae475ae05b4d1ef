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
package struct RESPConnection: Sendable {
  /// Something for the replica to do.
  package enum Step: Hashable, Sendable {
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
    case group([KeyValueCall], isWrite: Bool)
    /// What the client has set is this afterwards, if the transaction runs.
    case transaction([Queued], RESPSession)
    case watch
    case namespaces
  }

  /// A command of a transaction that runs.
  enum Queued: Hashable, Sendable {
    case call
    /// It says nothing of the data, and is answered in a version of the protocol.
    case answered(Reply, version: Int)
  }

  package let options: RESPOptions
  let id: UInt64
  private var parser: RESPParser
  var writer = RESPWriter()
  /// A request that did not fit into the step before it.
  private var held: [Bytes]?
  /// Commands of a group that were left, because those before them answered much.
  private var left: [KeyValueCall] = []
  private var underway: Underway?
  /// Whether a step is under way. Its pattern is looked at, because to compare it with nil Swift would copy it.
  var isUnderway: Bool { if case .none = underway { false } else { true } }
  /// Whether no further request is taken.
  private(set) var isClosing = false
  private var isInputOver = false
  /// What the client is told last.
  private var farewell: String?
  /// Whether nothing that has arrived is left to be looked at.
  private var isDrained = true

  var session = RESPSession() {
    didSet { writer.version = session.version }
  }

  // A transaction.
  var queue: [[Bytes]]?
  package internal(set) var queuedBytes = 0
  var isAborted = false
  var watched: [WatchedKey] = []

  package init(id: UInt64, options: RESPOptions = RESPOptions()) {
    self.id = id
    self.options = options
    parser = RESPParser(wordBytesMax: options.wordBytesMax)
  }

  // MARK: - Bytes

  package mutating func received(_ bytes: Bytes) {
    guard !isClosing else { return }
    isDrained = false
    parser.append(bytes)
  }

  /// The client sends nothing more.
  package mutating func inputEnded() { isInputOver = true }

  /// Tells the client that it is turned away, behind all answers, and ends the connection.
  mutating func turnAway(_ text: String) {
    guard !isClosing else { return }
    isClosing = true
    farewell = text
  }

  /// Takes no further requests; the connection ends when what is there is sent.
  mutating func close() { isClosing = true }

  package mutating func takeOutput() -> Bytes {
    if !isUnderway, let text = farewell {
      farewell = nil
      writer.write(.error(text))
    }
    return writer.take()
  }

  package var heldBytes: Int { parser.heldBytes + writer.bytes.count + queuedBytes }
  /// Whether more requests should be read from the connection.
  var wantsReading: Bool { !isClosing && (isDrained || parser.heldBytes < options.requestBytesMax) }
  /// Whether the connection ends when all output is sent.
  package var isFinished: Bool {
    !isUnderway && left.isEmpty && (isClosing || isInputOver && isDrained)
  }

  // MARK: - Steps

  /// The next thing to do; nil if there is none at the moment.
  package mutating func next(_ facts: () -> RESPFacts) -> Step? {
    guard !isUnderway, writer.bytes.count < options.outputBytesMax else { return nil }
    guard left.isEmpty else { return begin(.read(left)) }
    var group = Group()
    while !isClosing, writer.bytes.count < options.outputBytesMax, let request = takeRequest() {
      if queue == nil, let (call, isWrite) = dataCall(request) {
        guard group.takes(call, isWrite, options) else {
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
    return begin(group.isWrite ? .write(group.calls) : .read(group.calls))
  }

  private mutating func begin(_ step: Step) -> Step {
    left = []
    switch step {
    case .write(let calls): underway = .group(calls, isWrite: true)
    case .read(let calls): underway = .group(calls, isWrite: false)
    case .transaction, .watch, .namespaces: break
    }
    return step
  }

  /// Commands that are carried out together.
  private struct Group {
    var calls: [KeyValueCall] = []
    var isWrite = false
    private var bytes = 0
    /// How many of them answer what was there before.
    private var valueCount = 0

    mutating func takes(_ call: KeyValueCall, _ isWrite: Bool, _ options: RESPOptions) -> Bool {
      if !calls.isEmpty {
        guard isWrite == self.isWrite, bytes + call.bytes <= options.groupBytesMax,
          calls.count < options.groupCountMax,
          !isWrite || !call.answersValue || valueCount < AnswerLimit.values(of: options.valueBytesMax)
        else { return false }
      }
      if isWrite, call.answersValue { valueCount += 1 }
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
  private func dataCall(_ request: [Bytes]) -> (call: KeyValueCall, isWrite: Bool)? {
    guard let info = CommandTable.find(request[0]), !info.isConnection, fault(of: request, info) == nil
    else { return nil }
    return (KeyValueCall(namespace: session.namespace, arguments: request), info.isWrite)
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
    if let length = Self.lengthAsked(request, info), length > options.valueBytesMax {
      return info.name == "setbit"
        ? "ERR bit offset is not an integer or out of range" : CommandError.tooLong.text
    }
    for position in info.keyIndices(argumentCount: request.count)
    where request[position].count > options.keyBytesMax {
      return "ERR key is too long (\(request[position].count) bytes; the limit is \(options.keyBytesMax))"
    }
    return nil
  }

  /// How long a request makes a string at least that may say so in a few bytes.
  private static func lengthAsked(_ request: [Bytes], _ info: CommandInfo) -> Int? {
    switch info.body {
    case .bit(.setbit):
      guard let offset = NumberText.integer(request[2]), offset >= 0 else { return nil }
      return Int(offset / 8) + 1
    case .string(.setrange):
      guard let offset = NumberText.integer(request[2]), offset >= 0, !request[3].isEmpty else { return nil }
      return Int(min(offset, 1 << 40)) + request[3].count
    default: return nil
    }
  }

  // MARK: - Answers

  /// The end of ``Step/write(_:)``, ``Step/read(_:)`` or ``Step/transaction(_:watched:)``.
  package mutating func answer(_ result: Result<KeyValueOutcome, ReplicaError>, count: Int) {
    guard let ended = underway.take() else { return }
    switch result {
    case .success(.replies(let replies)): answer(ended, replies, count)
    case .success(.changed):
      if case .transaction = ended { writer.write(.nullArray) } else { answerUnreadable(count) }
    case .success: answerUnreadable(count)
    case .failure(let error): for _ in 0..<count { writer.write(.error(Self.text(of: error))) }
    }
  }

  private mutating func answer(_ ended: Underway, _ replies: [Reply], _ count: Int) {
    switch ended {
    case .group(let calls, let isWrite):
      for reply in replies { writer.write(reply) }
      if !isWrite, replies.count < calls.count { left = Array(calls.dropFirst(replies.count)) }
    case .transaction(let queued, let session):
      writer.write(queued, replies)
      self.session = session
      if let mode = session.replyMode { setReplyMode(mode) }
      if session.isKilled { close() }
    case .watch, .namespaces: answerUnreadable(count)
    }
  }

  private mutating func answerUnreadable(_ count: Int) {
    for _ in 0..<count { writer.write(.error("ERR the answer cannot be read")) }
  }

  /// The end of ``Step/watch(_:)``.
  package mutating func answer(versions: Result<[WatchedKey], ReplicaError>) {
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
  package mutating func answer(namespaces: Result<[Bytes], ReplicaError>) {
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

extension KeyValueCall {
  /// Whether it changes something and answers a whole value.
  fileprivate var answersValue: Bool {
    switch arguments.first.map(RESPConnection.lowered) {
    case "getset", "getdel", "getex": true
    case "set": arguments.dropFirst(3).contains { RESPConnection.lowered($0) == "get" }
    default: false
    }
  }
}
