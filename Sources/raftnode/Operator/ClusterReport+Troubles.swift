// What is wrong with a cluster, in words for somebody who was woken up: one sentence what, one what to do.

extension ClusterReport {
  var troubles: [Trouble] {
    guard asked.cluster != nil else { return troublesWithoutCluster }
    return troubleOfQuorum + troubleOfLeadership + findings.compactMap(trouble) + troublesOfLinks
      + views.flatMap(troubles(with:))
  }

  // MARK: - Without a cluster

  private var troublesWithoutCluster: [Trouble] {
    let reason = asked.joinObstacle.map { "it was told: \($0)" }
    guard !asked.awaited.isEmpty || reason == nil else {
      return [
        Trouble(
          code: "not_admitted", node: asked.address,
          what: "\(asked.address) is in no cluster: it asks to be let in, and \(reason ?? "")",
          advice: "It goes on asking. If the reason does not pass by itself, act on it there.")
      ]
    }
    let others = findings.filter { $0.address != asked.address && $0.view == nil }
    let running = asked.awaited.filter { address in !others.contains { $0.address == address } }
    let advice =
      others.isEmpty
      ? "If all of them run: look into the log of \(asked.address) for nodes that were started with other --peers."
      : "Start \(Words.list(others.map(\.address))), with the same set of addresses in --ip and --peers."
    return [
      Trouble(
        code: "not_founded", node: asked.address,
        what: asked.awaited.isEmpty
          ? "\(asked.address) is in no cluster yet: it waits for the founder, or asks to be let in."
          : "\(asked.address) is in no cluster yet: it waits for \(Words.list(asked.awaited))"
            + (running.isEmpty || others.isEmpty ? "." : ", of which \(Words.list(running)) answers here."),
        advice: advice)
    ]
  }

  // MARK: - The cluster as a whole

  private var troubleOfQuorum: [Trouble] {
    guard aliveVoters.count < quorum else { return [] }
    let missing = voters.filter { !answers($0) }
    let names = Words.list(missing.map(\.address))
    // A memory node whose process has ended will never again be the voter that it was.
    let gone = missing.filter { $0.store == "memory" && isEnded($0.address) }
    let isLost = voters.count - gone.count < quorum
    return [
      Trouble(
        code: "no_quorum", node: nil,
        what: "\(aliveVoters.count) of \(voters.count) voters answer, and \(quorum) are needed: "
          + "nothing can be written or read.",
        advice: isLost
          ? "\(Words.list(gone.map(\.address))) kept the data in memory and ended: this cluster cannot come back. "
            + "Stop all nodes; then start from a backup (raftnode snapshot restore --help), or remove the files members-of-* "
            + "in their --volume and start them anew."
          : "Get \(names) back, by the command that started them; \(quorum - aliveVoters.count) of them is enough. Only if "
            + "their data is lost for good: raftnode recover --help.")
    ]
  }

  /// Whether the process at an address is known to have ended.
  private func isEnded(_ address: String) -> Bool {
    guard let finding = findings.first(where: { $0.address == address }) else { return false }
    switch finding.result {
    case .failure(.unreachable(_, .refused)): return true
    case .success(let view): return !newest.members.contains { $0.id == view.id }
    case .failure: return lastWords(of: address) != nil
    }
  }

  private var troubleOfLeadership: [Trouble] {
    var troubles: [Trouble] = []
    for view in views where view.isLeader && view.term < newest.term {
      troubles.append(
        Trouble(
          code: "former_leader", node: view.address,
          what:
            "\(view.address) still takes itself for the leader, of term \(view.term); the others are at \(newest.term).",
          advice:
            "It gives up by itself within a second. If not, it is cut off: look at the network between it and the rest."
        ))
    }
    if let leader, let silence = leader.silenceMilliseconds, silence > Self.silenceMillisecondsMax {
      troubles.append(
        Trouble(
          code: "leader_alone", node: leader.address,
          what: "\(leader.address) leads, and has not heard from a majority for \(Words.time(silence)).",
          advice: "Look at the network between it and the other nodes."))
    }
    guard leader == nil, aliveVoters.count >= quorum else { return troubles }
    let cuts = views.filter { view in
      !reached(by: view).isEmpty && 1 + reached(by: view).filter(\.isVoter).count < quorum
    }
    let elsewhere = views.compactMap(\.leader).first { address in !views.contains { $0.address == address } }
    let what: String
    if let elsewhere {
      what = "\(elsewhere) is the leader for those that answer, and does not answer here."
    } else {
      what = "There is no leader at this moment: nothing can be written or read until one is elected."
    }
    troubles.append(
      Trouble(
        code: "no_leader", node: elsewhere, what: what,
        advice: cuts.isEmpty
          ? "That takes a second. If it lasts, the nodes do not hear each other, or their disks hang: look at both."
          : "\(Words.list(cuts.map(\.address))) reach too few of the others: look at the network between them."
      ))
    return troubles
  }

  private func reached(by view: ClusterView) -> [ClusterView.Member] {
    view.members.filter { $0.address != view.address && $0.isReachable }
  }

  // MARK: - Nodes that do not answer as they should

  private func trouble(with finding: Finding) -> Trouble? {
    let address = finding.address
    guard let member = newest.member(at: address) ?? asked.member(at: address) else { return nil }
    switch finding.result {
    case .failure(let error): return silence(of: member, error)
    case .success(let view) where views.contains(view):
      guard !newest.members.contains(where: { $0.id == view.id }) else { return nil }
      return Trouble(
        code: "new_incarnation", node: address,
        what: "\(address) was started anew, without what it held before, and is not a member yet.",
        advice:
          "It joins by itself and takes over the vote of its former self; if that lasts, look into its log.")
    case .success(let view):
      guard view.cluster == nil else {
        return Trouble(
          code: "other_cluster", node: address,
          what: "The node at \(address) belongs to another cluster, \(view.cluster ?? "").",
          advice:
            "It was started with the directory of another node: start it with the right --volume. If its data is "
            + "lost, have it replaced: raftnode member replace \(address) \(address)")
      }
      let isDurable = member.store == "database"
      return Trouble(
        code: "empty_member", node: address,
        what: "The node at \(address) has an empty directory, and asks to be let in"
          + (view.joinObstacle.map { "; it was told: \($0)." } ?? "."),
        advice: isDurable
          ? "If it was started with the wrong --volume, name the right one. If its data is lost: raftnode member replace "
            + "\(address) \(address)"
          : "It joins by itself and takes over the vote of its former self, while the others are a majority.")
    }
  }

  private func silence(of member: ClusterView.Member, _ error: NodeError) -> Trouble {
    let address = member.address
    let isHeard =
      (leader?.member(at: address)?.silenceMilliseconds).map { $0 < Self.silenceMillisecondsMax } ?? false
    var trouble = Trouble(code: "no_answer", node: address, what: "", advice: "")
    guard case .unreachable(_, let obstacle) = error else {
      trouble.code = "no_node"
      trouble.what = "\(address) answers, but not as a node of this cluster: \(error)."
      trouble.advice =
        "Look at what listens at that address; start the node there, or elsewhere with the new --ip."
      if case .refused(let failure) = error, failure.code == "too_many_connections" {
        trouble.what = "\(address) has as many clients as it may have, and takes no more."
        trouble.advice = "Close connections of clients, or start it with a larger --max-clients."
      }
      return trouble
    }
    trouble.what = "\(address) does not answer: \(obstacle)."
    if let words = lastWords(of: address), obstacle == .refused { return stopped(member, words) }
    if isHeard, obstacle.isOfNetwork {
      trouble.advice = "It runs: the leader hears from it. Look at the network between this machine and it."
      return trouble
    }
    switch obstacle {
    case .refused:
      trouble.advice =
        "Look at the end of its log, which says why it ended, and at its disk. \(wayBack(member))"
    case .silent:
      trouble.advice =
        "Its process stands still (kill -CONT PID), its disk hangs, or its machine is overloaded: look there. If it does "
        + "not recover, kill it and start it again."
    case .noConnection, .noWay:
      trouble.advice =
        "Its machine is off, or the network to it is cut: look at both, and at firewalls. \(wayBack(member))"
    case .noAddress:
      trouble.advice = "The name has no address on this machine: look at its DNS or /etc/hosts."
    case .closed, .endless, .other:
      trouble.advice = "Look at its log. If it does not recover, start it again by the same command."
    }
    return trouble
  }

  private func wayBack(_ member: ClusterView.Member) -> String {
    // Without a majority nobody can be removed.
    guard aliveVoters.count >= quorum else { return "Start it again by the same command." }
    return
      "Start it again by the same command; or, if it is gone for good: raftnode member remove \(member.address)"
      + (member.store == "database" ? ", or member replace \(member.address) NEW" : "")
  }

  private func stopped(_ member: ClusterView.Member, _ words: ClusterView.LastWords) -> Trouble {
    let address = member.address
    let time = Words.ago(words.ageMilliseconds)
    guard words.isFailure else {
      return Trouble(
        code: "stopped", node: address,
        what: "\(address) does not answer: it was stopped in order \(time), by SIGTERM or SIGINT.",
        advice: wayBack(member))
    }
    let isFull = ["No space left", "Disk quota", "File too large"].contains { words.reason.contains($0) }
    return Trouble(
      code: isFull ? "disk_full" : "store_failed", node: address,
      what: "\(address) does not answer: it stopped \(time), because "
        + (isFull ? "its disk is full (\(words.reason))." : "its store failed: \(words.reason)."),
      advice: isFull
        ? "Free space on the disk of its --volume, outside of that directory, then start it again by the same command."
        : "Look at its disk, and check its directory: raftnode check VOLUME. If the data is lost: raftnode member replace "
          + "\(address) NEW")
  }

  // MARK: - Nodes that answer, and are not well

  /// Connections that are missing between nodes which both answer here.
  private var troublesOfLinks: [Trouble] {
    views.compactMap { view in
      let cut = view.members.filter { !$0.isReachable && $0.address != view.address && answers($0) }
      guard !cut.isEmpty else { return nil }
      let isAlone =
        voters.contains { $0.id == view.id } && 1 + reached(by: view).filter(\.isVoter).count < quorum
      return Trouble(
        code: isAlone ? "cut_off" : "cut", node: view.address,
        what: "\(view.address) does not reach \(Words.list(cut.map(\.address))), which answers here"
          + (isAlone ? ": it is cut off from the majority, and its clients are refused." : "."),
        advice: "Look at the network and the firewalls between them, in this direction.")
    }
  }

  private func troubles(with view: ClusterView) -> [Trouble] {
    var troubles: [Trouble] = []
    if let write = view.writeMilliseconds, write > Self.writeMillisecondsMax {
      troubles.append(
        Trouble(
          code: "slow_disk", node: view.address,
          what: "The disk of \(view.address) hangs: a write has been under way for \(Words.time(write)).",
          advice:
            "Look at that disk, and at what else uses it. The node votes for nobody and leads nobody meanwhile."
        ))
    }
    if !view.isLeader, newest.commit > view.applied, newest.commit - view.applied > Self.behindMax {
      let snapshot = leader?.member(at: view.address)?.snapshot
      troubles.append(
        Trouble(
          code: "behind", node: view.address,
          what: "\(view.address) is \(newest.commit - view.applied) entries behind"
            + (snapshot.map { ", and receives a snapshot: \(Words.progress($0))." } ?? "."),
          advice: "It catches up by itself. If the number does not fall, its machine or its disk is too slow."
        ))
    }
    if leader != nil, view.leader == nil {
      troubles.append(
        Trouble(
          code: "knows_no_leader", node: view.address,
          what: "\(view.address) knows no leader, although there is one: its clients are refused.",
          advice: "That passes within a second. If not: look at the network between it and \(newest.address)."
        ))
    }
    return troubles
  }

  // MARK: - What is worth knowing

  var notes: [String] {
    guard asked.cluster != nil else { return [] }
    var notes: [String] = []
    if aliveVoters.count == quorum, voters.count > aliveVoters.count {
      notes.append("One more voter that fails stops the cluster.")
    }
    if voters.count == 1 {
      notes.append("There is one voter: if it fails, nobody else serves, or has the data.")
    }
    if voters.count == 2 {
      notes.append("There are two voters: if one of them fails, the cluster stands still.")
    }
    for member in newest.members where !member.isVoter {
      let state = leader.map { " (\($0.state(of: member)))" } ?? ""
      notes.append("\(member.address) is a learner: it follows, and has no vote\(state).")
    }
    if let change = newest.change { notes.append("The members are being changed, by entry \(change).") }
    let versions = Set(views.map(\.version)).subtracting([""]).sorted()
    if versions.count > 1 { notes.append("The nodes are of versions \(Words.list(versions)).") }
    let stores = Set(newest.members.map(\.store)).subtracting([""])
    if stores.count > 1 { notes.append("Some members keep their data in memory, some in a database.") }
    return notes
  }
}
