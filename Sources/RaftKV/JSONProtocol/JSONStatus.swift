import RaftCore
import RaftServer

// The answer to a `status`. A field that says nothing at the moment is null, so that programs find all of them.
extension JSONWriter {
  mutating func write(_ status: ReplicaStatus) {
    write(raw: #"{"type":"status","id":"#)
    write(status.id.description)
    write(raw: #","addr":"#)
    write(status.address)
    write(raw: #","role":"#)
    write(status.role.rawValue)
    write(raw: #","term":"#)
    write(status.term.rawValue)
    write(raw: #","leader":"#)
    writeOptional(status.leaderAddress)
    write(raw: #","commit":"#)
    write(status.commitIndex.rawValue)
    write(raw: #","applied":"#)
    write(status.appliedIndex.rawValue)
    write(raw: #","last":"#)
    write(status.lastIndex.rawValue)
    write(raw: #","store":"#)
    write(status.store.word)
    write(raw: #","version":"#)
    write(status.version)
    write(raw: #","cluster":"#)
    writeOptional(status.clusterID?.description)
    write(raw: #","silent_ms":"#)
    writeOptional(status.silenceMilliseconds)
    write(raw: #","write_ms":"#)
    writeOptional(status.writeMilliseconds)
    write(raw: #","change":"#)
    writeOptional(status.changeIndex?.rawValue)
    write(raw: #","snapshot_received":"#)
    writeOptional(status.receivedSnapshotBytes)
    write(raw: #","join_obstacle":"#)
    writeOptional(status.joinObstacle)
    write(raw: #","awaited":["#)
    for (position, address) in status.awaited.enumerated() {
      if position > 0 { write(raw: ",") }
      write(address)
    }
    write(raw: #"],"members":["#)
    for (position, member) in status.members.enumerated() {
      if position > 0 { write(raw: ",") }
      write(member)
    }
    write(raw: "]}")
  }

  private mutating func write(_ member: ReplicaStatus.MemberStatus) {
    write(raw: #"{"id":"#)
    write(member.id.description)
    write(raw: #","addr":"#)
    write(member.address)
    write(raw: #","role":"#)
    write(member.isVoter ? "voter" : "learner")
    write(raw: #","reachable":"#)
    write(member.isReachable)
    write(raw: #","store":"#)
    write(member.store.word)
    if let progress = member.progress {
      write(raw: #","match":"#)
      write(progress.matchIndex.rawValue)
      write(raw: #","caught_up":"#)
      write(progress.isCaughtUp)
      write(raw: #","silent_ms":"#)
      write(progress.silenceMilliseconds)
      switch progress.replication {
      case .probe, .pipeline: break
      case .needsSnapshot: write(raw: #","snapshot":{"sent":0,"bytes":null}"#)
      case .snapshot(let sent, let bytes):
        write(raw: #","snapshot":{"sent":"#)
        write(sent)
        write(raw: #","bytes":"#)
        write(bytes)
        write(raw: "}")
      }
    }
    if let words = member.lastWords {
      write(raw: #","stopped":{"failed":"#)
      write(words.isFailure)
      write(raw: #","reason":"#)
      write(words.reason)
      write(raw: #","ago_ms":"#)
      write(words.ageMilliseconds)
      write(raw: "}")
    }
    write(raw: "}")
  }

  private mutating func writeOptional(_ text: String?) {
    if let text { write(text) } else { write(raw: "null") }
  }

  private mutating func writeOptional(_ number: UInt64?) {
    if let number { write(number) } else { write(raw: "null") }
  }
}

extension StoreKind {
  fileprivate var word: String { self == .memory ? "memory" : "database" }
}
