import Dispatch
import Glibc
import RaftCore

/// Whoever a connection's bytes are for. Everything is called on the connection's loop, and never from
/// inside a call to the connection.
public protocol StreamHandler: AnyObject {
  /// Bytes have arrived.
  func received(_ bytes: Bytes, on connection: StreamConnection)
  /// The other side sends nothing more; it may still read answers. The default closes the connection.
  func inputEnded(on connection: StreamConnection)
  /// Everything written has been handed to the system, after some of it had to wait. The default does
  /// nothing.
  func drained(_ connection: StreamConnection)
  /// A dialed connection has come about. The default does nothing.
  func connected(_ connection: StreamConnection)
  /// The connection is gone, whoever closed it. Called once, and nothing after it.
  func closed(_ connection: StreamConnection, reason: String)
}

extension StreamHandler {
  /// Closes the connection.
  public func inputEnded(on connection: StreamConnection) { connection.close("closed by the other side") }
  /// Does nothing.
  public func drained(_ connection: StreamConnection) {}
  /// Does nothing.
  public func connected(_ connection: StreamConnection) {}
}

/// One TCP connection, accepted or dialed, with an output buffer.
///
/// Reading is pushed to the ``handler`` until ``pauseReading()``. Writing never blocks: what the system
/// does not take waits in memory, and the writer watches ``pendingBytes``.
///
/// `@unchecked Sendable`: confined to its loop, which every entry point checks.
public final class StreamConnection: PollTarget, @unchecked Sendable {
  enum Phase {
    case connecting
    case open
    /// Nothing is taken any more; what waits is being sent.
    case flushing
    /// Everything is sent, and the other side has been told so; its close is awaited.
    case lingering
    case closed
  }

  /// The loop it is confined to.
  public let loop: EventLoop
  /// The address of the other side, for messages to people.
  public let remoteAddress: String
  /// Who gets the bytes. Held until ``StreamHandler/closed(_:reason:)``.
  public var handler: (any StreamHandler)?
  /// Called when the connection is gone, before the handler is told.
  var onClosed: (() -> Void)?

  private(set) var phase: Phase
  private let descriptor: Int32
  private var output = OutputBuffer()
  private var token: SocketPoller.Token?
  private var interest: SocketPoller.Interest = []
  private var isReadingPaused = false
  private var hasInputEnded = false
  private var isAwaitingWritability = false
  private var closeReason = ""
  private var lingerTimer: LoopTimer?
  private var lingerBudget = StreamConnection.lingerBytesMax

  /// How much unread input is thrown away before a connection that was answered is closed, in bytes.
  static let lingerBytesMax = 1 << 20
  /// How many reads one event makes before others get their turn.
  private static let readsPerTurn = 16

  /// Takes over a socket that is connected, or with `isConnecting` about to be.
  init(descriptor: Int32, remoteAddress: String, loop: EventLoop, isConnecting: Bool) {
    loop.preconditionOnLoop()
    self.descriptor = descriptor
    self.remoteAddress = remoteAddress
    self.loop = loop
    phase = isConnecting ? .connecting : .open
  }

  /// Begins to read, or to wait for the connection. The handler is set before.
  func start() {
    loop.preconditionOnLoop()
    if phase == .connecting { awaitWritability() } else { watch() }
  }

  /// How many written bytes the system has not taken yet.
  public var pendingBytes: Int { output.count }

  /// Whether bytes can still be written.
  public var isOpen: Bool { phase == .open }

  // MARK: - Writing

  /// Sends `bytes`, or as much as the system takes in one call, and keeps the rest until it takes more.
  /// After the connection was closed, or told to close, they are dropped.
  public func write(_ bytes: Bytes) {
    loop.preconditionOnLoop()
    guard phase == .open || phase == .connecting, !bytes.isEmpty else { return }
    guard output.isEmpty, phase == .open else { return output.append(bytes) }
    switch Socket.send(bytes, from: 0, on: descriptor) {
    case .moved(let count):
      guard count < bytes.count else { return }
      output.append(bytes)
      output.removeFirst(count)
      awaitWritability()
    case .wouldBlock, .ended:
      output.append(bytes)
      awaitWritability()
    case .failed(let errorNumber):
      end(describe(errorNumber: errorNumber))
    }
  }

  /// Sends what waits, tells the other side that nothing follows, and closes once it has closed too, or
  /// after `milliseconds` without progress. What still arrives is thrown away: closing with unread input
  /// would reset the connection, and the other side might never see the answer.
  public func closeAfterFlush(within milliseconds: UInt64 = 2_000) {
    loop.preconditionOnLoop()
    guard phase == .open else { return phase == .connecting ? end("closed here") : () }
    phase = .flushing
    limitLinger(milliseconds, pendingBefore: output.count)
    if output.isEmpty { finishOutput() }
  }

  private func limitLinger(_ milliseconds: UInt64, pendingBefore: Int) {
    lingerTimer = loop.schedule(after: milliseconds) { [weak self] in
      guard let self else { return }
      let pending = output.count
      guard phase == .flushing, pending < pendingBefore else { return end("closed here") }
      limitLinger(milliseconds, pendingBefore: pending)
    }
  }

  private func finishOutput() {
    phase = .lingering
    guard !hasInputEnded, shutdown(descriptor, Int32(SHUT_WR)) == 0 else { return end("closed here") }
    if isReadingPaused { resumeReading() }
    loop.async { self.readAvailable() }
  }

  private func flush() {
    let hadOutput = !output.isEmpty
    while !output.isEmpty {
      switch output.send(on: descriptor) {
      case .moved(let count): output.removeFirst(count)
      case .wouldBlock, .ended: return
      case .failed(let errorNumber): return end(describe(errorNumber: errorNumber))
      }
    }
    stopAwaitingWritability()
    if phase == .flushing {
      finishOutput()
    } else if hadOutput {
      handler?.drained(self)
    }
  }

  // MARK: - Reading

  /// Stops reading, so that the other side has to wait.
  public func pauseReading() {
    loop.preconditionOnLoop()
    isReadingPaused = true
    watch()
  }

  /// Goes on reading.
  public func resumeReading() {
    loop.preconditionOnLoop()
    guard isReadingPaused else { return }
    isReadingPaused = false
    guard phase != .closed, phase != .connecting, !hasInputEnded else { return }
    watch()
  }

  private func readAvailable() {
    for _ in 0..<Self.readsPerTurn {
      guard phase != .closed, phase != .connecting, !isReadingPaused, !hasInputEnded else { return }
      switch Socket.receive(into: loop.scratch, on: descriptor) {
      case .moved(let count):
        if phase == .open {
          handler?.received(Bytes(loop.scratch[..<count]), on: self)
        } else {
          lingerBudget -= count
          if lingerBudget < 0 { return end("closed here") }
        }
        // That was all; what has arrived since, or the end, is announced again.
        if count < loop.scratch.count { return }
      case .wouldBlock:
        return
      case .ended:
        return inputEnded()
      case .failed(let errorNumber):
        return end(describe(errorNumber: errorNumber))
      }
    }
  }

  private func inputEnded() {
    hasInputEnded = true
    watch()
    switch phase {
    case .open: handler?.inputEnded(on: self)
    case .lingering: end("closed here")
    case .connecting, .flushing, .closed: break
    }
  }

  // MARK: - Watching

  func socketIsReady(isReadable: Bool, isWritable: Bool) {
    if isWritable, isAwaitingWritability { writable() }
    if isReadable { readAvailable() }
    // Somebody who is gone is announced again and again, also to those who want to know nothing.
    if isReadable, isWritable, interest.isEmpty, phase != .closed { end(describe(errorNumber: ECONNRESET)) }
  }

  /// Watches the socket for what is of interest now.
  private func watch() {
    guard phase != .closed else { return }
    var wanted: SocketPoller.Interest = []
    if phase != .connecting, !isReadingPaused, !hasInputEnded { wanted.insert(.reading) }
    if isAwaitingWritability { wanted.insert(.writing) }
    guard let token else {
      self.token = loop.poller.add(descriptor, wanted, for: self)
      interest = wanted
      if self.token == nil { end(describe(errorNumber: errno)) }
      return
    }
    guard wanted != interest else { return }
    interest = wanted
    loop.poller.change(token, to: wanted)
  }

  private func awaitWritability() {
    guard !isAwaitingWritability else { return }
    isAwaitingWritability = true
    watch()
  }

  private func stopAwaitingWritability() {
    guard isAwaitingWritability else { return }
    isAwaitingWritability = false
    watch()
  }

  private func writable() {
    switch phase {
    case .connecting: finishConnecting()
    case .open, .flushing: flush()
    case .lingering, .closed: stopAwaitingWritability()
    }
  }

  private func finishConnecting() {
    let errorNumber = Socket.pendingError(descriptor)
    guard errorNumber == 0 else { return end(describe(errorNumber: errorNumber)) }
    guard !Socket.isConnectedToItself(descriptor) else { return end(describe(errorNumber: ECONNREFUSED)) }
    phase = .open
    watch()
    handler?.connected(self)
    if phase == .open || phase == .flushing { flush() }
  }

  // MARK: - Closing

  /// Closes at once; what waits to be sent is dropped. The handler is told in a later turn.
  public func close(_ reason: String = "closed here") {
    loop.preconditionOnLoop()
    end(reason)
  }

  private func end(_ reason: String) {
    guard phase != .closed else { return }
    phase = .closed
    closeReason = reason
    output = OutputBuffer()
    lingerTimer?.cancel()
    lingerTimer = nil
    if let token { loop.poller.remove(token) }
    token = nil
    loop.async { self.finish() }
  }

  private func finish() {
    Glibc.close(descriptor)
    let (handler, onClosed) = (handler, onClosed)
    self.handler = nil
    self.onClosed = nil
    onClosed?()
    handler?.closed(self, reason: closeReason)
  }
}
