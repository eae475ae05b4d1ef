import Foundation
import RaftCore
import RaftTransport

/// A peer that accepts connections, shakes hands, and never reads again.
final class RawListener: Sendable {
  private let descriptor: Int32

  init(_ endpoint: Endpoint) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard Ports.withAddress(of: endpoint, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 16) == 0
    else {
      throw SocketFailure(operation: "listen", errorNumber: errno)
    }
  }

  deinit { close(descriptor) }

  /// Accepts one connection and answers its hello as node `number`.
  func shakeHands(as number: UInt64) throws -> RawClient {
    let accepted = accept(descriptor, nil, nil)
    guard accepted >= 0 else { throw SocketFailure(operation: "accept", errorNumber: errno) }
    let peer = RawClient(accepted: accepted)
    var decoder = FrameDecoder(frameBytesMax: 1 << 20)
    while true {
      decoder.append(try peer.receive())
      guard let frame = try decoder.next() else { continue }
      var writer = ByteWriter()
      Welcome(identity: identity(node: number), chosenVersion: 1, chosenFeatures: 0)
        .writeFrame(answering: try Hello(frame), into: &writer)
      try peer.send(writer.bytes)
      return peer
    }
  }
}
