import RaftCore

/// A message on its way, with the entries that it names.
struct Packet {
  var message: Message
  var entries: [Entry<UInt8>]

  /// All that it says.
  var key: [UInt8] {
    var bytes = StateBytes()
    message.addState { bytes.add($0) }
    for entry in entries { bytes.add(EntryMark(entry)) }
    return bytes.bytes
  }
}

/// An entry in three words, equal if and only if the entries are.
struct EntryMark: Hashable, BitwiseCopyable {
  let id: EntryID
  let content: UInt64

  init(_ entry: Entry<UInt8>) {
    id = entry.id
    switch entry.content {
    case .empty: content = 1
    case .payload(let payload): content = 2 | UInt64(payload) << 8
    case .configuration(let configuration):
      content =
        3 | Self.mask(configuration.voters) << 8 | Self.mask(configuration.outgoingVoters) << 24
        | Self.mask(configuration.learners) << 40
    }
  }

  /// The ids of a small world are small numbers.
  private static func mask(_ ids: [NodeID]) -> UInt64 { ids.reduce(0) { $0 | 1 << $1.rawValue } }
}

/// Numbers one after the other, small ones in one byte: the exact key of a part of a state.
struct StateBytes {
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(96) }

  mutating func add(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func add(_ mark: EntryMark) {
    add(mark.id.term.rawValue)
    add(mark.id.index.rawValue)
    add(mark.content)
  }

  mutating func add(_ state: HardState) {
    add(state.term.rawValue)
    add(state.votedFor?.rawValue ?? 0)
  }
}

extension Message {
  /// What it says, as far as it matters in a small world.
  var words: String {
    switch body {
    case .requestVote(let request):
      "\(from) asks for a vote in term \(request.campaignTerm), its last entry being \(request.lastEntry)"
    case .requestVoteReply(let reply):
      "\(from) \(reply.isGranted ? "votes" : "does not vote") for \(to) in term \(reply.campaignTerm)"
    case .appendEntries(let request):
      "\(from), leader of term \(term), sends \(request.words) behind \(request.previous); "
        + "\(request.commitIndex) is committed"
    case .appendEntriesReply(.accepted(let match)):
      "\(from) holds the log of term \(term) through \(match)"
    case .appendEntriesReply(.rejected(let previous, let hint)):
      "\(from) has another entry at \(previous) than the leader of term \(term), perhaps not at \(hint)"
    case .heartbeat(let heartbeat):
      "\(from), leader of term \(term), is there: heartbeat \(heartbeat.round)"
    case .heartbeatReply(let reply): "\(from) has heard heartbeat \(reply.round) of term \(term)"
    case .commitNotice(let index): "\(from), leader of term \(term), has committed through \(index)"
    case .staleTerm: "\(from) is in term \(term) already"
    default: "\(from) to \(to) in term \(term): \(body)"
    }
  }
}

extension AppendEntries {
  fileprivate var words: String {
    switch count {
    case 0: "nothing"
    case 1: "entry \(EntryID(term: entriesTerm, index: lastIndex))"
    default: "the entries through \(EntryID(term: entriesTerm, index: lastIndex))"
    }
  }
}
