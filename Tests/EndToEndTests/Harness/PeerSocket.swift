import Glibc
import RaftCore
import RaftTransport

/// Somebody who speaks the protocol of the peers, byte by byte.
final class PeerSocket {
  let identity: LocalIdentity
  private let client: SocketClient
  private var decoder = FrameDecoder(frameBytesMax: 1 << 20)

  init(to node: NodeProcess, cluster: UInt64? = nil, number: UInt64 = 4711) throws {
    client = try node.connect()
    identity = LocalIdentity(
      node: NodeID(number), boot: 1, cluster: cluster.map { ClusterID($0) }, address: "127.0.0.1:9",
      founders: [], store: .memory)
  }

  /// The bytes with which it introduces itself, asking for `target`.
  func hello(target: UInt64? = nil) -> [UInt8] {
    var writer = ByteWriter()
    Hello(identity: identity, trafficClass: .consensus, target: target.map { NodeID($0) })
      .writeFrame(into: &writer)
    return writer.bytes
  }

  /// The frame of a message to `target`.
  func frame(to target: NodeID, term: Term, _ body: Message.Body) -> [UInt8] {
    var writer = ByteWriter()
    let message = Message(from: identity.node, to: target, term: term, body: body)
    MessageCodec.writeFrame(message, boot: identity.boot, into: &writer)
    return writer.bytes
  }

  func send(_ bytes: [UInt8]) throws { try client.send(bytes) }

  /// The next frame, or nil at the end of the stream.
  func receive() throws -> Frame? {
    while true {
      if let frame = try decoder.next() { return frame }
      let bytes = try client.receive(65_536)
      guard !bytes.isEmpty else { return nil }
      decoder.append(bytes)
    }
  }

  /// Whether the node has closed the connection, without saying anything more.
  func isClosed() throws -> Bool {
    do {
      return try receive() == nil
    } catch let failure as SocketFailure where failure.errorNumber == ECONNRESET {
      return true
    }
  }
}
