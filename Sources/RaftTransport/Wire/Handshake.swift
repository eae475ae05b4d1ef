import RaftCore

/// The first frame on a connection between nodes: the dialer says who it is and whom it believes to reach.
///
/// Node, boot number, target and traffic class stand in the frame's header; the rest is the body. A body
/// may be longer than what is known here: later versions append fields, and older nodes skip them.
public struct Hello: Hashable, Sendable {
  /// The lowest protocol version that the dialer speaks.
  public var versionLowest: UInt8 = WireVersion.lowest
  /// The highest protocol version that the dialer speaks.
  public var versionHighest: UInt8 = WireVersion.highest
  /// The feature bits that the dialer offers.
  public var features: UInt64 = WireVersion.features
  /// The dialer.
  public var identity: LocalIdentity
  /// What the connection is for.
  public var trafficClass: TrafficClass
  /// Whom the dialer believes to reach; nil if it takes whoever answers.
  public var target: NodeID?

  /// Introduces `identity`.
  public init(identity: LocalIdentity, trafficClass: TrafficClass, target: NodeID? = nil) {
    self.identity = identity
    self.trafficClass = trafficClass
    self.target = target
  }
}

/// The acceptor's answer to a ``Hello`` it agrees with. From here on the dialer sends and the acceptor only
/// reads.
public struct Welcome: Hashable, Sendable {
  /// The lowest protocol version that the acceptor speaks.
  public var versionLowest: UInt8 = WireVersion.lowest
  /// The highest protocol version that the acceptor speaks.
  public var versionHighest: UInt8 = WireVersion.highest
  /// The feature bits that the acceptor offers.
  public var features: UInt64 = WireVersion.features
  /// The acceptor.
  public var identity: LocalIdentity
  /// The version in which the connection goes on: the highest that both speak.
  public var chosenVersion: UInt8
  /// The features that both offer.
  public var chosenFeatures: UInt64

  /// Introduces `identity` to a dialer, with what was agreed on.
  public init(identity: LocalIdentity, chosenVersion: UInt8, chosenFeatures: UInt64) {
    self.identity = identity
    self.chosenVersion = chosenVersion
    self.chosenFeatures = chosenFeatures
  }
}

/// Why two nodes do not talk to each other.
public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of reasons.
  public enum Code: UInt8, Hashable, Sendable, CaseIterable {
    /// The two are members of different clusters.
    case wrongCluster = 1
    /// The acceptor is not the node that the dialer asked for.
    case wrongNode = 2
    /// There is no protocol version that both speak.
    case incompatibleVersion = 3
    /// The hello could not be read.
    case malformed = 4
    /// The acceptor is stopping.
    case stopping = 5
    /// The dialer and the acceptor have the same node id: a node dialed itself, or its store was copied.
    case sameNode = 6
  }

  /// The kind of reason.
  public var code: Code
  /// A sentence for a person.
  public var message: String

  /// Puts a refusal together.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }
}

// MARK: - Wire format

/// What handshake frames may hold, so that a stranger cannot make a node buffer much.
enum HandshakeLimits {
  /// The largest handshake frame, in bytes: an address and as many founders as a configuration has members
  /// fit twice.
  static let frameBytesMax = 40_960
  static let foundersMax = Configuration.memberLimit
  static let messageBytesMax = 1_024
}

extension Hello {
  /// Appends the hello as a whole frame.
  public func writeFrame(into writer: inout ByteWriter) {
    let header = FrameHeader(
      kind: .hello, trafficClass: trafficClass, target: target, sender: identity.node, boot: identity.boot)
    writer.writeFrame(header) {
      $0.write(versionLowest)
      $0.write(versionHighest)
      $0.write(features)
      identity.encodeBody(into: &$0)
    }
  }

  /// Reads a hello.
  ///
  /// - Throws: `MalformedBytes` if the frame is none, or a field is out of its range.
  public init(_ frame: Frame) throws(MalformedBytes) {
    guard frame.header.kind == .hello else { throw MalformedBytes("the first frame is no hello", offset: 5) }
    var reader = frame.bodyReader()
    versionLowest = try reader.readUInt8()
    versionHighest = try reader.readUInt8()
    features = try reader.readUInt64()
    identity = try LocalIdentity(frame.header, body: &reader)
    trafficClass = frame.header.trafficClass
    target = frame.header.target
  }
}

extension Welcome {
  /// Appends the welcome as a whole frame that answers `hello`.
  public func writeFrame(answering hello: Hello, into writer: inout ByteWriter) {
    let header = FrameHeader(
      kind: .welcome, trafficClass: hello.trafficClass, target: hello.identity.node, sender: identity.node,
      boot: identity.boot)
    writer.writeFrame(header) {
      $0.write(versionLowest)
      $0.write(versionHighest)
      $0.write(features)
      $0.write(chosenVersion)
      $0.write(chosenFeatures)
      identity.encodeBody(into: &$0)
    }
  }

  /// Reads a welcome.
  ///
  /// - Throws: `MalformedBytes` if the frame is none, or a field is out of its range.
  public init(_ frame: Frame) throws(MalformedBytes) {
    guard frame.header.kind == .welcome else { throw MalformedBytes("the frame is no welcome", offset: 5) }
    var reader = frame.bodyReader()
    versionLowest = try reader.readUInt8()
    versionHighest = try reader.readUInt8()
    features = try reader.readUInt64()
    chosenVersion = try reader.readUInt8()
    chosenFeatures = try reader.readUInt64()
    identity = try LocalIdentity(frame.header, body: &reader)
  }
}

extension Refusal {
  /// Appends the refusal as a whole frame from `identity`. `dialer` is whom it answers, nil if that is not
  /// known.
  public func writeFrame(
    from identity: LocalIdentity, to dialer: NodeID?, trafficClass: TrafficClass,
    into writer: inout ByteWriter
  ) {
    let header = FrameHeader(
      kind: .refusal, trafficClass: trafficClass, target: dialer, sender: identity.node, boot: identity.boot)
    writer.writeFrame(header) {
      $0.write(code.rawValue)
      $0.write(message)
    }
  }

  /// Reads a refusal.
  ///
  /// - Throws: `MalformedBytes` if the frame is none, the code is unknown, or the message is too long.
  public init(_ frame: Frame) throws(MalformedBytes) {
    guard frame.header.kind == .refusal else { throw MalformedBytes("the frame is no refusal", offset: 5) }
    var reader = frame.bodyReader()
    guard let code = Code(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("a refusal of unknown kind", offset: reader.offset - 1)
    }
    let message = try reader.readString()
    guard message.utf8.count <= HandshakeLimits.messageBytesMax else {
      throw MalformedBytes("the message of a refusal is too long", offset: reader.offset)
    }
    self.init(code, message)
  }
}

extension LocalIdentity {
  fileprivate func encodeBody(into writer: inout ByteWriter) {
    writer.write(cluster?.rawValue ?? 0)
    writer.write(store.rawValue)
    writer.write(address)
    writer.write(UInt32(founders.count))
    for founder in founders { writer.write(founder) }
  }

  fileprivate init(_ header: FrameHeader, body reader: inout ByteReader) throws(MalformedBytes) {
    let cluster = try reader.readUInt64()
    let start = reader.offset
    guard let store = StoreKind(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("a store kind is 1 (memory) or 2 (durable)", offset: start)
    }
    let address = try Self.readAddress(from: &reader)
    let count = try reader.readCount(elementBytes: 4)
    guard count <= HandshakeLimits.foundersMax else {
      throw MalformedBytes("\(count) founders are more than a cluster has", offset: reader.offset)
    }
    var founders: [String] = []
    for _ in 0..<count { founders.append(try Self.readAddress(from: &reader)) }
    guard zip(founders, founders.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw MalformedBytes("the founders are not sorted, or one stands there twice", offset: reader.offset)
    }
    self.init(
      node: header.sender, boot: header.boot, cluster: cluster == 0 ? nil : ClusterID(cluster),
      address: address, founders: founders, store: store)
  }

  private static func readAddress(from reader: inout ByteReader) throws(MalformedBytes) -> String {
    let start = reader.offset
    let text = try reader.readString()
    do {
      return try Endpoint(text).description
    } catch {
      throw MalformedBytes("\(error)", offset: start)
    }
  }
}
