import RaftCore

/// The JSON protocol on one connection, as a value without I/O: bytes in, operations out; answers in, bytes out.
///
/// *Where a request ends.* At the last byte of its JSON object. Nothing has to follow it, so that it is worked on at
/// once.
///
/// *Whether the connection stays open.* It does after a request that carries `"keep": true`, that is followed by a
/// newline (spaces, tabs and a carriage return may stand before it), or by the beginning of another request. What
/// counts is what has arrived when the answer is written: only then can a request turn out to be the last one. So a
/// client that sends request and newline in two pieces keeps its connection if the newline arrives before the answer
/// leaves; to be sure, it sends them in one piece, or says `"keep": true`. After the answer to any other request the
/// connection closes, and what arrives later is ignored.
///
/// *Order.* Answers come in the order of the requests, one line each, and requests take effect in that order. Writes
/// that follow each other may be under way together, because a replica keeps their order, and reads may; a read starts
/// only when all earlier writes are answered, and a write when all earlier reads are. A question to the node itself
/// starts when everything before it is answered.
///
/// *Changes* that the client follows are told in lines of their own, between answers, and keep the connection open. They end
/// when the client closes its side.
///
/// *Bytes that are no request* are answered with an error, after everything before them. Then the connection closes,
/// because where the next request begins cannot be told.
///
/// The shell calls ``received(_:at:)``, ``inputEnded()`` and ``advance(to:)``; after each of them, and after each
/// ``answer(_:with:)``, it carries out every ``nextOperation()``, sends what ``takeOutput(unsentBytes:at:)`` returns,
/// and heeds ``wantsReading``, ``isFinished`` and ``nextDeadline``.
public struct ClientConnection: Sendable {
  /// The limits.
  public let options: JSONProtocolOptions

  private enum Slot {
    /// May not start yet.
    case waiting(JSONRequest)
    /// Is being carried out.
    case running(ReplyTemplate)
    /// Its answer has not been written yet.
    case answered(ReplyTemplate, ClientAnswer)
    /// Was turned away.
    case refused(RequestRefusal)
  }

  /// Whether more requests may come.
  private enum Input {
    case open
    /// The client has closed its side; what it sent before counts.
    case ended
    /// No bytes are looked at any more.
    case over
  }

  private var input = Input.open
  /// What has arrived and not been parsed, because too many requests wait.
  private var unparsed: Bytes = []
  private var unparsedStart = 0
  private var parser: JSONParser
  /// Whether the parser is inside a request.
  private var isInRequest = false
  private var deadline: UInt64?

  /// The requests whose answers have not been written, in order.
  private var slots: [Slot] = []
  /// The number of the first of them; each request's number is one more than that of the one before.
  private var firstNumber: UInt64 = 0
  /// How many of them, from the first on, have been handed out or need not be.
  private var startedCount = 0
  private var writesRunning = 0
  private var readsRunning = 0
  /// Bytes of requests that wait.
  private var waitingBytes = 0
  /// How many bytes of answers wait to be written, about.
  private var answeredBytes = 0
  /// The most reads that are carried out at a time: each may answer a value of the largest size.
  private static let readsRunningMax = 16
  /// What the client follows.
  private(set) var watches: WatchTable
  /// Whether the connection stays open after the last request that has arrived. Those before it were followed by it.
  private var lastStaysOpen = true

  /// Whether the node holds too much for its clients: requests are refused that would make it hold more. Set by the
  /// shell, before bytes are taken in.
  public var isNodeFull = false
  /// Whether everything is done: once all output is sent, the connection is to be closed.
  public private(set) var isFinished = false

  /// Starts before the first byte.
  public init(options: JSONProtocolOptions = JSONProtocolOptions()) {
    self.options = options
    parser = JSONParser(limits: options.jsonLimits)
    watches = WatchTable(watchesMax: options.connectionWatchesMax)
  }

  /// While the node is full, a request that is longer than this when it is not complete yet is refused.
  static let requestBytesWhenFull = 4 << 10

  // MARK: - Bytes in

  /// Takes bytes that have arrived, at `now` milliseconds on any clock that does not go back.
  public mutating func received(_ bytes: Bytes, at now: UInt64) {
    guard input == .open, !isFinished else { return }
    if unparsedStart == unparsed.count {
      unparsed = bytes
    } else {
      unparsed.removeFirst(unparsedStart)
      unparsed += bytes
    }
    unparsedStart = 0
    parse(at: now)
  }

  /// Notes that the client sends nothing more; it may still read answers.
  public mutating func inputEnded() {
    guard input == .open, !isFinished else { return }
    input = .ended
    if unparsedStart == unparsed.count { concludeInput() }
  }

  /// Everything that the client sent before it closed its side has been parsed.
  private mutating func concludeInput() {
    guard !isInRequest else {
      return refuse(RequestRefusal(.incomplete, "the connection was closed in the middle of a request"))
    }
    lastStaysOpen = false
    endInput()
    if slots.isEmpty { isFinished = true }
  }

  /// When ``advance(to:)`` has to be called at the latest; nil if nothing is due.
  public var nextDeadline: UInt64? { deadline }

  /// Gives up a request that has taken too long to arrive.
  public mutating func advance(to now: UInt64) {
    guard let deadline, now >= deadline else { return }
    refuse(
      RequestRefusal(
        .deadline, "the request did not arrive whole within \(options.receiveMillisecondsMax) milliseconds"))
  }

  /// Whether the shell should read on. False while too much waits, and after the last request.
  public var wantsReading: Bool {
    input == .open && !isFinished && !isFull && unparsedStart == unparsed.count
  }

  private var isFull: Bool {
    slots.count >= options.pipelinedRequestsMax || waitingBytes >= options.pipelinedBytesMax
  }

  private mutating func parse(at now: UInt64) {
    while unparsedStart < unparsed.count {
      if !isInRequest {
        guard beginRequest(unparsed[unparsedStart], at: now) else { return }
        continue
      }
      do throws(JSONError) {
        unparsedStart = try parser.parse(unparsed, from: unparsedStart)
      } catch {
        return refuse(RequestRefusal(error))
      }
      if parser.isComplete {
        endRequest()
      } else if isNodeFull, parser.bytesTaken > Self.requestBytesWhenFull {
        return refuse(.busy())
      }
    }
    unparsed = []
    unparsedStart = 0
    if input == .ended { concludeInput() }
  }

  /// Looks at a byte between two requests.
  ///
  /// - Returns: False if it must wait, or no byte is looked at any more.
  private mutating func beginRequest(_ byte: UInt8, at now: UInt64) -> Bool {
    switch byte {
    case 0x0A:
      lastStaysOpen = true
      unparsedStart += 1
    case 0x20, 0x09, 0x0D:
      unparsedStart += 1
    default:
      lastStaysOpen = true
      guard !isFull else { return false }
      guard byte == UInt8(ascii: "{") else {
        refuse(RequestRefusal(.notAnObject, "a request is a JSON object and begins with '{'"))
        return false
      }
      isInRequest = true
      deadline = now &+ options.receiveMillisecondsMax
    }
    return true
  }

  private mutating func endRequest() {
    isInRequest = false
    deadline = nil
    let document = parser.takeDocument()
    lastStaysOpen = JSONRequest.keepsOpen(document)
    do throws(RequestRefusal) {
      let request = try JSONRequest(document, options: options)
      if isNodeFull, request.operation != .status { throw .busy(type: request.template.typeText) }
      slots.append(.waiting(request))
      waitingBytes += request.bytes
    } catch {
      slots.append(.refused(error))
    }
  }

  /// Answers bytes that are no request, and takes no more of them. Nothing is followed any more either.
  private mutating func refuse(_ refusal: RequestRefusal) {
    slots.append(.refused(refusal))
    lastStaysOpen = false
    endInput()
  }

  private mutating func endInput() {
    input = .over
    watches.removeAll()
    isInRequest = false
    deadline = nil
    unparsed = []
    unparsedStart = 0
    parser = JSONParser(limits: options.jsonLimits)
  }

  // MARK: - Operations out, answers in

  /// The next operation that may start, if there is one, and the number to answer it by.
  public mutating func nextOperation() -> (number: UInt64, operation: ClientOperation)? {
    while startedCount < slots.count {
      guard case .waiting(let request) = slots[startedCount] else {
        startedCount += 1
        continue
      }
      guard mayStart(request.operation) else { return nil }
      slots[startedCount] = .running(request.template)
      startedCount += 1
      waitingBytes -= request.bytes
      count(request.operation)
      return (firstNumber + UInt64(startedCount - 1), request.operation)
    }
    return nil
  }

  private func mayStart(_ operation: ClientOperation) -> Bool {
    switch operation {
    case .write, .writeOnce, .session, .administer: readsRunning == 0
    case .read, .readStale, .watch, .snapshot:
      writesRunning == 0 && readsRunning < Self.readsRunningMax && answeredBytes < options.outputBytesMax
    case .status, .unwatch, .leases: readsRunning == 0 && writesRunning == 0
    }
  }

  private mutating func count(_ operation: ClientOperation) {
    switch operation {
    case .write, .writeOnce, .session, .administer: writesRunning += 1
    case .read, .readStale, .watch, .snapshot: readsRunning += 1
    case .status, .unwatch, .leases: break
    }
  }

  /// Takes the answer to an operation. Each is answered once.
  public mutating func answer(_ number: UInt64, with answer: ClientAnswer) {
    let position = Int(number &- firstNumber)
    precondition(number >= firstNumber && position < slots.count, "only what was handed out can be answered")
    guard case .running(let template) = slots[position] else {
      preconditionFailure("an operation is answered once, after it was handed out")
    }
    slots[position] = .answered(template, answer)
    answeredBytes += answer.bytes
    switch answer {
    case .written, .session, .administered: writesRunning -= 1
    case .read, .readStale, .watching, .snapshot: readsRunning -= 1
    case .status, .unwatched, .leases: break
    }
  }

  // MARK: - Changes

  /// Whether nothing more is to be sent.
  private var isOver: Bool { slots.isEmpty && watches.isEmpty && !lastStaysOpen }

  /// What is to be asked next for those who follow changes, in turns; nil if nobody does.
  public mutating func nextChanges() -> ChangeQuery? { watches.nextQuery() }

  /// Takes the answer to the last ``nextChanges()``, and gives what is to be sent, as whole lines.
  ///
  /// - Returns: The lines, and whether there is more to be asked for the same watch.
  public mutating func takeChanges(_ answer: KeyValueAnswer) -> (lines: Bytes, hasMore: Bool) {
    let result = watches.take(answer)
    if isOver {
      isFinished = true
      endInput()
    }
    return result
  }

  // MARK: - Bytes out

  /// How many bytes of requests and answers it holds.
  public var heldBytes: Int {
    parser.text.count + unparsed.count - unparsedStart + waitingBytes + answeredBytes + watches.bytes
  }

  /// How many requests have arrived whose answers have not been written.
  public var requestCount: Int { slots.count }

  /// The answers that can be sent now, one line each; empty if there are none.
  ///
  /// - Parameters:
  ///   - unsentBytes: How many bytes of earlier answers the client has not taken yet. Beyond
  ///     ``JSONProtocolOptions/outputBytesMax`` nothing is added to them.
  ///   - now: The time, for requests that have waited unparsed.
  public mutating func takeOutput(unsentBytes: Int, at now: UInt64) -> Bytes {
    var writer = JSONWriter()
    var writtenCount = 0
    loop: while writtenCount < slots.count, unsentBytes + writer.bytes.count < options.outputBytesMax {
      switch slots[writtenCount] {
      case .waiting, .running: break loop
      case .answered(let template, let answer):
        answeredBytes -= answer.bytes
        if let refusal = watches.note(answer, mayBegin: input == .open) {
          writer.write(refusal)
        } else {
          writer.write(answer, for: template)
        }
      case .refused(let refusal): writer.write(refusal)
      }
      writer.write(raw: "\n")
      writtenCount += 1
    }
    guard writtenCount > 0 else { return [] }
    slots.removeFirst(writtenCount)
    firstNumber += UInt64(writtenCount)
    startedCount = max(0, startedCount - writtenCount)
    if isOver {
      isFinished = true
      endInput()
    } else if unparsedStart < unparsed.count {
      parse(at: now)
    }
    return writer.bytes
  }
}
