/// The limits of the JSON protocol. Everything that a client can make grow has one; going over it is answered with an
/// error that names it.
public struct JSONProtocolOptions: Hashable, Sendable {
  /// The most bytes of a key, as UTF-8; 1 to 1 MiB. Default 4 KiB.
  public var keyBytesMax = 4 << 10
  /// The most bytes of a namespace, as UTF-8; 7 (it must hold "default") to 1 MiB. Default 1 KiB.
  public var namespaceBytesMax = 1 << 10
  /// The most bytes of a value, as compact JSON text in UTF-8; 1 to 1 GiB. Default 1 MiB.
  public var valueBytesMax = 1 << 20
  /// The most bytes of a whole request; at least 64, at most 4 GiB. Default 4 MiB: many clients send `é` as `\u00e9`,
  /// which makes three bytes of each one, so that this leaves the largest value room however it is spelled.
  public var requestBytesMax = 4 << 20
  /// How deep arrays and objects of a request may be nested, the request itself being level 1; 2 to 10,000. Default
  /// 128.
  public var nestingMax = 128
  /// The most fields of a request; 4 to 65,536. Default 256.
  public var fieldsMax = 256
  /// The most requests of one connection that wait for their answers to be sent; beyond it the connection is not read
  /// any further. 1 to 1,000,000. Default 256.
  public var pipelinedRequestsMax = 256
  /// The most bytes of requests that wait for their turn on one connection; beyond it the connection is not read any
  /// further. At least 1. Default 4 MiB.
  public var pipelinedBytesMax = 4 << 20
  /// While this many bytes of answers wait to be taken by the client, no further answers are written; at least 1.
  /// Default 1 MiB.
  public var outputBytesMax = 1 << 20
  /// How many bytes of requests that are not carried out yet, and of answers that are not taken yet, all clients of a
  /// node may have it hold together. While there are more, puts, gets and deletes are refused as busy. At least 1.
  /// Default 256 MiB.
  public var clientBytesMax = 256 << 20
  /// How long a request may take to arrive, from its first byte to its last, in milliseconds; 1 or more. Default
  /// 10,000.
  public var receiveMillisecondsMax: UInt64 = 10_000
  /// The most operations of a batch; 1 to 65,536. Default 1,000.
  public var batchOperationsMax = 1_000
  /// The most keys, or namespaces, in one answer to a scan; 1 to 65,536. Default 1,000.
  public var scanKeysMax = 1_000
  /// Once keys and values in the answer to a scan take so many bytes, the scan has to be continued; at least 1. Default
  /// 1 MiB.
  public var scanBytesMax = 1 << 20
  /// The most watches of one connection; 1 to 65,536. Default 64.
  public var connectionWatchesMax = 64
  /// The most watches of all connections of a node; 1 to 1,000,000. Default 4,096.
  public var watchesMax = 4_096

  /// Starts with the defaults.
  public init() {}

  /// These options, if they all make sense.
  ///
  /// - Throws: ``JSONProtocolOptionsError`` with one sentence for every fault.
  public func validated() throws(JSONProtocolOptionsError) -> JSONProtocolOptions {
    var faults: [String] = []
    func check(_ name: String, _ value: some BinaryInteger, _ range: ClosedRange<Int>) {
      if Int(clamping: value) < range.lowerBound || Int(clamping: value) > range.upperBound {
        faults.append("\(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound)")
      }
    }
    check("keyBytesMax", keyBytesMax, 1...(1 << 20))
    check("namespaceBytesMax", namespaceBytesMax, 7...(1 << 20))
    check("valueBytesMax", valueBytesMax, 1...(1 << 30))
    check("requestBytesMax", requestBytesMax, 64...(1 << 32))
    check("nestingMax", nestingMax, 2...10_000)
    check("fieldsMax", fieldsMax, 4...65_536)
    check("pipelinedRequestsMax", pipelinedRequestsMax, 1...1_000_000)
    check("pipelinedBytesMax", pipelinedBytesMax, 1...Int.max)
    check("outputBytesMax", outputBytesMax, 1...Int.max)
    check("clientBytesMax", clientBytesMax, 1...Int.max)
    check("receiveMillisecondsMax", receiveMillisecondsMax, 1...Int.max)
    check("batchOperationsMax", batchOperationsMax, 1...65_536)
    check("scanKeysMax", scanKeysMax, 1...65_536)
    check("scanBytesMax", scanBytesMax, 1...Int.max)
    check("connectionWatchesMax", connectionWatchesMax, 1...65_536)
    check("watchesMax", watchesMax, 1...1_000_000)
    guard faults.isEmpty else { throw JSONProtocolOptionsError(faults: faults) }
    return self
  }

  var jsonLimits: JSONLimits {
    JSONLimits(bytesMax: requestBytesMax, nestingMax: nestingMax, membersMax: fieldsMax)
  }
}

/// What is wrong with a set of options.
public struct JSONProtocolOptionsError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence for each fault.
  public let faults: [String]

  /// All faults in one line.
  public var description: String { faults.joined(separator: "; ") }
}
