/// The limits and delays of a transport. Everything that can grow has one.
public struct TransportOptions: Hashable, Sendable {
  /// How many clients may be connected at once; 1 to 1,000,000. The number of file descriptors that the
  /// system grants may lower it when the node starts to listen.
  public var clientConnectionsMax = 10_000
  /// How many connections beyond ``clientConnectionsMax`` are accepted for a moment, to see whether they
  /// are peers; 1 to 10,000.
  public var reserveConnectionsMax = 64
  /// How long such a connection may wait with its first byte, in milliseconds; 10 to 60,000.
  public var reserveMilliseconds: UInt64 = 1_000
  /// How many connections of peers are accepted at once; 4 to 100,000. A cluster of n nodes needs 2 (n - 1).
  public var peerConnectionsMax = 512
  /// The largest frame that is taken from a peer, in bytes, header included; 65,536 to 1 GiB.
  public var frameBytesMax = 16 << 20
  /// How many bytes may wait to be sent on one link; more are dropped. At least ``frameBytesMax``, at most
  /// 4 GiB.
  public var linkQueueBytesMax = 32 << 20
  /// The first delay before a lost link is dialed again, in milliseconds; 1 to 60,000.
  public var reconnectMillisecondsMin: UInt64 = 20
  /// The longest delay between attempts to dial, in milliseconds; at least ``reconnectMillisecondsMin``, at
  /// most 3,600,000.
  public var reconnectMillisecondsMax: UInt64 = 1_000
  /// How long one attempt to connect may take, in milliseconds; 10 to 600,000.
  public var connectMillisecondsMax: UInt64 = 2_000
  /// How long a handshake may take, in milliseconds; 10 to 600,000.
  public var handshakeMillisecondsMax: UInt64 = 2_000
  /// How long sent bytes may stay unacknowledged before a link is given up, in milliseconds; 100 to 600,000.
  public var unacknowledgedMillisecondsMax: UInt64 = 5_000
  /// After how many seconds of silence the system probes whether the other end of a connection still exists;
  /// 1 to 32,767.
  public var keepAliveSeconds = 15
  /// How long stopping may take to flush what clients have not received, in milliseconds; 1 to 600,000.
  public var stopMillisecondsMax: UInt64 = 1_000

  /// Starts with the defaults.
  public init() {}

  /// These options, if they all make sense.
  ///
  /// - Throws: ``TransportOptionsError`` with one sentence for every fault.
  public func validated() throws(TransportOptionsError) -> TransportOptions {
    var faults: [String] = []
    func check(_ name: String, _ value: some BinaryInteger, _ range: ClosedRange<Int>) {
      if Int(clamping: value) < range.lowerBound || Int(clamping: value) > range.upperBound {
        faults.append("\(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound)")
      }
    }
    check("clientConnectionsMax", clientConnectionsMax, 1...1_000_000)
    check("reserveConnectionsMax", reserveConnectionsMax, 1...10_000)
    check("reserveMilliseconds", reserveMilliseconds, 10...60_000)
    check("peerConnectionsMax", peerConnectionsMax, 4...100_000)
    check("frameBytesMax", frameBytesMax, 65_536...(1 << 30))
    check("linkQueueBytesMax", linkQueueBytesMax, max(frameBytesMax, 0)...max(frameBytesMax, 1 << 32))
    check("reconnectMillisecondsMin", reconnectMillisecondsMin, 1...60_000)
    let shortest = Int(clamping: reconnectMillisecondsMin)
    check("reconnectMillisecondsMax", reconnectMillisecondsMax, shortest...max(shortest, 3_600_000))
    check("connectMillisecondsMax", connectMillisecondsMax, 10...600_000)
    check("handshakeMillisecondsMax", handshakeMillisecondsMax, 10...600_000)
    check("unacknowledgedMillisecondsMax", unacknowledgedMillisecondsMax, 100...600_000)
    check("keepAliveSeconds", keepAliveSeconds, 1...32_767)
    check("stopMillisecondsMax", stopMillisecondsMax, 1...600_000)
    guard faults.isEmpty else { throw TransportOptionsError(faults: faults) }
    return self
  }

  var linkTiming: LinkTiming {
    LinkTiming(
      reconnectMin: reconnectMillisecondsMin, reconnectMax: reconnectMillisecondsMax,
      connectMax: connectMillisecondsMax, handshakeMax: handshakeMillisecondsMax)
  }
}

/// What is wrong with a set of options.
public struct TransportOptionsError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence for each fault.
  public let faults: [String]

  /// All faults in one line.
  public var description: String { faults.joined(separator: "; ") }
}
