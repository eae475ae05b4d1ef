import RaftCore
import RaftTransport

/// What nodes send each other, for those who only want to know whether it can be read.
package enum PeerFrames {
  /// Reads the body of a frame as whoever gets it would.
  ///
  /// - Throws: `MalformedBytes` if it is not what its kind says.
  package static func read(_ frame: Frame) throws(MalformedBytes) {
    switch frame.header.kind {
    case .message: _ = try MessageCodec.decode(frame)
    case .forward: try read(Forward.self, frame)
    case .forwardReply: try read(ForwardReply.self, frame)
    case .founded: try read(Founded.self, frame)
    case .join, .leave: try read(JoinRequest.self, frame)
    case .joinReply: try read(JoinReply.self, frame)
    case .removed: try read(RemovedNotice.self, frame)
    default: break
    }
  }

  private static func read<Value: ByteCodable>(_: Value.Type, _ frame: Frame) throws(MalformedBytes) {
    var reader = frame.bodyReader()
    _ = try Value(from: &reader)
    try reader.expectEnd()
  }
}
