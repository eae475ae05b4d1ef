import RaftCore

/// When a dialer gives up and tries again; all in milliseconds.
public struct LinkTiming: Hashable, Sendable {
  /// The first delay before a new attempt.
  public var reconnectMin: UInt64
  /// The longest delay before a new attempt.
  public var reconnectMax: UInt64
  /// How long the connection may take to come about.
  public var connectMax: UInt64
  /// How long the handshake may take, for the dialer as for the acceptor.
  public var handshakeMax: UInt64

  /// Sets all four.
  public init(reconnectMin: UInt64, reconnectMax: UInt64, connectMax: UInt64, handshakeMax: UInt64) {
    self.reconnectMin = reconnectMin
    self.reconnectMax = reconnectMax
    self.connectMax = connectMax
    self.handshakeMax = handshakeMax
  }
}

/// The dialing half of a link, as a value: it is told what happened and says what to do. Sans-I/O and
/// deterministic.
///
/// Backing off, connecting, handshaking, established, and back. After ``Effect/close`` and
/// ``Effect/failed(reason:)`` the shell says nothing more of the connection it had.
public struct OutboundLink: Sendable {
  /// What the shell is to do, in this order.
  public enum Effect: Hashable, Sendable {
    /// Dial the address.
    case connect
    /// Send these bytes.
    case send(Bytes)
    /// Frames may be sent from now on.
    case established(Welcome)
    /// The established link is gone.
    case lost(reason: String)
    /// The attempt failed before the link was established.
    case failed(reason: String)
    /// The other side does not want to talk, or must not be talked to.
    case refused(Refusal)
    /// Close the connection.
    case close
  }

  private enum Phase {
    case backingOff(until: UInt64)
    case connecting(deadline: UInt64)
    case handshaking(deadline: UInt64)
    case established(since: UInt64)
  }

  /// What the acceptor is told.
  public let hello: Hello
  /// What the acceptor answered, while the link is established.
  public private(set) var welcome: Welcome?
  private let timing: LinkTiming
  private var phase: Phase
  private var backoff: Backoff
  private var decoder = FrameDecoder(frameBytesMax: HandshakeLimits.frameBytesMax)

  /// Starts a link that dials as soon as it is advanced to `now`, in milliseconds.
  public init(hello: Hello, timing: LinkTiming, seed: UInt64, now: UInt64) {
    self.hello = hello
    self.timing = timing
    phase = .backingOff(until: now)
    backoff = Backoff(
      millisecondsMin: timing.reconnectMin, millisecondsMax: timing.reconnectMax, seed: seed)
  }

  /// When ``advance(to:into:)`` has something to do; nil if only the other side can bring news.
  public var nextDeadline: UInt64? {
    switch phase {
    case .backingOff(let deadline), .connecting(let deadline), .handshaking(let deadline): deadline
    case .established: nil
    }
  }

  /// Whether a connection is being made: the only time at which the shell may bring one.
  public var isConnecting: Bool { if case .connecting = phase { true } else { false } }

  /// Whether frames may be sent.
  public var isEstablished: Bool { welcome != nil }

  /// Time has passed.
  public mutating func advance(to now: UInt64, into effects: inout [Effect]) {
    guard let nextDeadline, now >= nextDeadline else { return }
    switch phase {
    case .backingOff:
      phase = .connecting(deadline: now + timing.connectMax)
      effects.append(.connect)
    case .connecting:
      end("no connection within \(timing.connectMax) ms", mustClose: true, at: now, into: &effects)
    case .handshaking:
      let reason = "no answer to the handshake within \(timing.handshakeMax) ms"
      end(reason, mustClose: true, at: now, into: &effects)
    case .established:
      break
    }
  }

  /// The other side has called, so it is there: it is dialed again soon, however long it was away.
  ///
  /// It is not dialed at once: two nodes whose links break as soon as they stand would otherwise call each other back
  /// without end.
  public mutating func heardFrom(at now: UInt64) {
    guard case .backingOff(let deadline) = phase else { return }
    phase = .backingOff(until: min(deadline, now + timing.reconnectMin))
  }

  /// The connection has come about.
  public mutating func connected(at now: UInt64, into effects: inout [Effect]) {
    guard case .connecting = phase else { return }
    phase = .handshaking(deadline: now + timing.handshakeMax)
    decoder = FrameDecoder(frameBytesMax: HandshakeLimits.frameBytesMax)
    var writer = ByteWriter(capacity: 256)
    hello.writeFrame(into: &writer)
    effects.append(.send(writer.bytes))
  }

  /// The connection could not be made, or is closed.
  public mutating func closed(_ reason: String, at now: UInt64, into effects: inout [Effect]) {
    if case .backingOff = phase { return }
    end(reason, mustClose: false, at: now, into: &effects)
  }

  /// The acceptor sent something.
  public mutating func received(_ bytes: Bytes, at now: UInt64, into effects: inout [Effect]) {
    decoder.append(bytes)
    do {
      while let frame = try decoder.next() {
        guard case .handshaking = phase else {
          // An acceptor that has answered the handshake only reads.
          return end("the other side sent more than its answer", mustClose: true, at: now, into: &effects)
        }
        if frame.header.kind == .refusal {
          return refused(try Refusal(frame), at: now, into: &effects)
        }
        let answer = try Welcome(frame)
        if let refusal = hello.identity.judge(answer, target: hello.target) {
          return refused(refusal, at: now, into: &effects)
        }
        welcome = answer
        phase = .established(since: now)
        effects.append(.established(answer))
      }
    } catch {
      end("malformed answer: \(error)", mustClose: true, at: now, into: &effects)
    }
  }

  private mutating func refused(_ refusal: Refusal, at now: UInt64, into effects: inout [Effect]) {
    effects.append(.refused(refusal))
    effects.append(.close)
    // A node that is stopping may be back soon; nothing else changes without an operator.
    let delay = refusal.code == .stopping ? backoff.next() : backoff.nextLongest()
    phase = .backingOff(until: now + delay)
  }

  private mutating func end(
    _ reason: String, mustClose: Bool, at now: UInt64, into effects: inout [Effect]
  ) {
    if case .established(let since) = phase {
      // A link that breaks as soon as it stands goes on backing off: an acceptor that accepts and closes at
      // once would otherwise be dialed 50 times a second.
      if now - since >= timing.reconnectMax { backoff.reset() }
      effects.append(.lost(reason: reason))
    } else {
      effects.append(.failed(reason: reason))
    }
    welcome = nil
    phase = .backingOff(until: now + backoff.next())
    if mustClose { effects.append(.close) }
  }
}
