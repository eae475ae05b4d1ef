import RaftCore

/// Who a node is, as its store remembers it: an incarnation that has voted must never be another one after a restart, and
/// must never take part in another cluster.
public struct NodeIdentity: ByteCodable, Hashable, Sendable {
  /// The incarnation.
  public var node: NodeID
  /// Its cluster; nil while it is in none.
  public var cluster: ClusterID?
  /// Where the others reach it, `host:port`.
  public var address: String
  /// Whether it asks the others to let it vote, after a restart as well. A learner that does not ask stays one.
  public var isJoining: Bool

  /// Describes a node.
  public init(node: NodeID, cluster: ClusterID?, address: String, isJoining: Bool = false) {
    self.node = node
    self.cluster = cluster
    self.address = address
    self.isJoining = isJoining
  }

  /// Appends the value: node (u64), cluster (u64?), address (string), whether it is joining (bool).
  public func encode(into writer: inout ByteWriter) {
    writer.write(node.rawValue)
    (cluster?.rawValue).encode(into: &writer)
    writer.write(address)
    writer.write(isJoining)
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    node = NodeID(try reader.readUInt64())
    cluster = try UInt64?(from: &reader).map { ClusterID($0) }
    address = try reader.readString()
    isJoining = try reader.readBool()
    guard node.rawValue != 0 else { throw MalformedBytes("node id 0 stands for no node", offset: 0) }
  }
}
