import RaftCore

/// The accepting half of a link, as a value: it awaits a hello, judges and answers it, and yields frames
/// from then on. Sans-I/O and deterministic.
public struct InboundLink: Sendable {
  /// What the shell is to do, in this order. After ``Effect/closeAfterFlush`` or ``Effect/close`` the link
  /// is over.
  public enum Effect: Hashable, Sendable {
    /// Send these bytes.
    case send(Bytes)
    /// The handshake is done.
    case established(RemotePeer, TrafficClass)
    /// A frame from the peer for this node.
    case frame(Frame)
    /// A frame for another node was dropped; the sender has an old idea of who lives here.
    case misdirected(target: NodeID?)
    /// The dialer at `address` was refused.
    case refused(address: String, Refusal)
    /// The peer broke the protocol; the connection is closed next.
    case violation(String)
    /// Close the connection once everything has been sent.
    case closeAfterFlush
    /// Close the connection.
    case close
  }

  private enum Phase {
    case awaitingHello(deadline: UInt64)
    case established
    case over
  }

  /// Who is at the other end, once that is known.
  public private(set) var peer: RemotePeer?
  /// What the link is for, once that is known.
  public private(set) var trafficClass: TrafficClass?
  private let identity: LocalIdentity
  private let isStopping: Bool
  private let frameBytesMax: Int
  private var phase: Phase
  private var decoder = FrameDecoder(frameBytesMax: HandshakeLimits.frameBytesMax)

  /// Awaits a hello.
  ///
  /// - Parameters:
  ///   - identity: Who answers.
  ///   - frameBytesMax: The largest frame that is taken once the handshake is done, in bytes.
  ///   - deadline: When the hello must have arrived, in milliseconds.
  ///   - isStopping: Whether every hello is refused, because the node is about to stop.
  public init(identity: LocalIdentity, frameBytesMax: Int, deadline: UInt64, isStopping: Bool = false) {
    self.identity = identity
    self.frameBytesMax = frameBytesMax
    self.isStopping = isStopping
    phase = .awaitingHello(deadline: deadline)
  }

  /// When ``advance(to:into:)`` has something to do.
  public var nextDeadline: UInt64? {
    if case .awaitingHello(let deadline) = phase { deadline } else { nil }
  }

  /// Time has passed.
  public mutating func advance(to now: UInt64, into effects: inout [Effect]) {
    guard let nextDeadline, now >= nextDeadline else { return }
    violated("no complete hello before the deadline", into: &effects)
  }

  /// The dialer sent something.
  public mutating func received(_ bytes: Bytes, into effects: inout [Effect]) {
    decoder.append(bytes)
    while true {
      do {
        guard let frame = try decoder.next() else { return }
        switch phase {
        case .over: return
        case .awaitingHello: welcomeOrRefuse(frame, into: &effects)
        case .established: deliver(frame, into: &effects)
        }
      } catch {
        if case .over = phase { return }
        answerMalformed(error, into: &effects)
        return violated("\(error)", into: &effects)
      }
    }
  }

  private mutating func welcomeOrRefuse(_ frame: Frame, into effects: inout [Effect]) {
    let hello: Hello
    do {
      hello = try Hello(frame)
    } catch {
      refuse(
        Refusal(.malformed, "the handshake could not be read: \(error)"), dialer: frame.header.sender,
        class: frame.header.trafficClass, into: &effects)
      return violated("malformed handshake: \(error)", into: &effects)
    }
    let verdict =
      isStopping ? .refusal(Refusal(.stopping, "\(identity.address) is stopping")) : identity.judge(hello)
    switch verdict {
    case .refusal(let refusal):
      refuse(refusal, dialer: hello.identity.node, class: hello.trafficClass, into: &effects)
      effects.append(.refused(address: hello.identity.address, refusal))
      effects.append(.closeAfterFlush)
      phase = .over
    case .welcome(let welcome):
      var writer = ByteWriter(capacity: 256)
      welcome.writeFrame(answering: hello, into: &writer)
      effects.append(.send(writer.bytes))
      let peer = RemotePeer(
        address: hello.identity.address, identity: hello.identity, version: welcome.chosenVersion,
        features: welcome.chosenFeatures)
      self.peer = peer
      trafficClass = hello.trafficClass
      decoder.frameBytesMax = frameBytesMax
      phase = .established
      effects.append(.established(peer, hello.trafficClass))
    }
  }

  private mutating func deliver(_ frame: Frame, into effects: inout [Effect]) {
    let header = frame.header
    guard let peer, header.sender == peer.node, header.boot == peer.boot else {
      return violated("a frame names another sender than the handshake", into: &effects)
    }
    guard header.trafficClass == trafficClass else {
      return violated("a frame names another traffic class than the handshake", into: &effects)
    }
    switch header.kind {
    case .hello, .welcome, .refusal:
      violated("a handshake frame after the handshake", into: &effects)
    default:
      effects.append(header.target == identity.node ? .frame(frame) : .misdirected(target: header.target))
    }
  }

  /// Tells a dialer of another version why it is not understood, in the frame format of version 1, which
  /// every version reads at the handshake.
  private func answerMalformed(_ error: FrameError, into effects: inout [Effect]) {
    guard case .awaitingHello = phase else { return }
    let code: Refusal.Code = if case .unsupportedVersion = error { .incompatibleVersion } else { .malformed }
    refuse(Refusal(code, "\(error)"), dialer: nil, class: .consensus, into: &effects)
  }

  private func refuse(
    _ refusal: Refusal, dialer: NodeID?, class trafficClass: TrafficClass, into effects: inout [Effect]
  ) {
    var writer = ByteWriter(capacity: 128)
    refusal.writeFrame(from: identity, to: dialer, trafficClass: trafficClass, into: &writer)
    effects.append(.send(writer.bytes))
  }

  private mutating func violated(_ reason: String, into effects: inout [Effect]) {
    effects.append(.violation(reason))
    effects.append(.closeAfterFlush)
    phase = .over
  }
}
