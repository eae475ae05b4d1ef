import Glibc
import RaftCore

/// A small file in which a node without stable storage writes down where the other members of its cluster are, so that it
/// looks for them after a restart and does not found a cluster of its own. It never says who the node was.
///
/// Counter-example that this prevents: node A is started alone, B and C join it, A is killed and started again by the same
/// command. It would found a second cluster, and take writes that the first one never hears of.
public struct MemberHint: Sendable {
  /// Where the file is.
  public let path: String
  /// What it said at the start: addresses, the node's own not among them; empty if there was no file.
  public let members: [String]

  /// Reads a file, if there is one.
  ///
  /// - Throws: ``MemberHintError`` if it is there and cannot be read.
  public init(at path: String) throws(MemberHintError) {
    self.path = path
    guard let file = fopen(path, "r") else {
      guard errno == ENOENT || errno == ENOTDIR else {
        throw MemberHintError(reason: "\(path) cannot be read: \(String(cString: strerror(errno)))")
      }
      members = []
      return
    }
    defer { fclose(file) }
    var text: [UInt8] = []
    var byte = fgetc(file)
    // 64 members of addresses that are not longer than names can be.
    while byte != EOF, text.count < 1 << 16 {
      text.append(UInt8(truncatingIfNeeded: byte))
      byte = fgetc(file)
    }
    members = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
      .filter { !$0.hasPrefix("#") }
  }

  /// Writes the file anew. A failure is of no consequence for what is acknowledged; it is told all the same.
  ///
  /// - Throws: ``MemberHintError``.
  func write(_ addresses: [String], cluster: ClusterID) throws(MemberHintError) {
    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    if !folder.isEmpty { mkdir(folder, 0o755) }
    var text =
      "# Members of cluster \(cluster) when this was written. Remove this file to have the node found a new cluster.\n"
    for address in addresses { text += address + "\n" }
    let draft = path + ".new"
    guard let file = fopen(draft, "w") else {
      throw MemberHintError(reason: "\(draft) cannot be written: \(String(cString: strerror(errno)))")
    }
    let isWritten = fputs(text, file) >= 0 && fflush(file) == 0
    fclose(file)
    guard isWritten, rename(draft, path) == 0 else {
      throw MemberHintError(reason: "\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
  }
}

/// Why a file of members cannot be used.
public struct MemberHintError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The reason in words.
  public let reason: String

  /// The reason in words.
  public var description: String { reason }
}
