import RaftCore

extension RaftOptions {
  /// Snapshots go in pieces of ten bytes.
  static var smallChunks: RaftOptions {
    var options = RaftOptions()
    options.snapshotChunkBytes = 10
    return options
  }
}

extension Network {
  /// Three nodes of which node 3 has missed `entries` entries that the others hold.
  static func thirdMisses(_ entries: Int = 5, options: RaftOptions = RaftOptions()) throws -> Network {
    var network = try Network(3, options: options)
    network.elect(0)
    for number in 0..<entries {
      try network.propose("e\(number)", at: 0)
      network.deliver { $0.to != NodeID(3) }
    }
    return network
  }

  /// The pieces of snapshots that are on their way.
  var pieces: [InstallSnapshot] {
    packets.compactMap { packet in
      if case .installSnapshot(let piece) = packet.message.body { piece } else { nil }
    }
  }

  /// Lets time pass, in which every piece of a snapshot is lost; these are they.
  mutating func losePieces(ticks: Int) -> [InstallSnapshot] {
    var lost: [InstallSnapshot] = []
    run(ticks: ticks) { message in
      guard case .installSnapshot(let piece) = message.body else { return true }
      lost.append(piece)
      return false
    }
    return lost
  }
}
