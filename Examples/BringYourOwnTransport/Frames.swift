// What travels on a connection: frames. All numbers and texts are in the encoding of `ByteWriter`.
//
//     length of what follows (4 bytes) | how many numbers (4) | the numbers (8 each) | the entries, to the end
//
// A frame names who it is from and for whom, so a connection needs no greeting.

import RaftCore

/// The frame of a message; nil if it is not worth sending, or does not occur here.
func frame(_ message: Message, naming entries: ArraySlice<Entry<String>>?) -> Bytes? {
  guard let numbers = numbers(of: message) else { return nil }
  if case .appendEntries = message.body, entries == nil { return nil }
  var writer = ByteWriter()
  writer.write(UInt32(0))
  writer.write(UInt32(numbers.count))
  for number in numbers { writer.write(number) }
  for entry in entries ?? [] { entry.word.encode(into: &writer) }
  writer.overwrite(UInt32(writer.count - 4), at: 0)
  return writer.bytes
}

/// The next message and its entries, if they are there as a whole; what is left in the reader then follows them.
func nextFrame(from reader: inout ByteReader) throws(MalformedBytes) -> (Message, [Entry<String>])? {
  var ahead = reader
  guard ahead.remaining >= 4 else { return nil }
  let length = Int(try ahead.readUInt32())
  guard length <= 1 << 20 else { throw MalformedBytes("a frame of \(length) bytes", offset: reader.offset) }
  guard ahead.remaining >= length else { return nil }
  var frame = ByteReader(try ahead.readRaw(length))
  reader = ahead
  var numbers: [UInt64] = []
  for _ in 0..<(try frame.readCount(elementBytes: 8)) { numbers.append(try frame.readUInt64()) }
  guard let message = message(of: numbers) else { throw MalformedBytes("no message", offset: reader.offset) }
  var entries: [Entry<String>] = []
  if case .appendEntries(let append) = message.body, append.previous.index <= .highestPlausible {
    while frame.remaining > 0 {
      let id = EntryID(term: append.entriesTerm, index: append.previous.index.advanced(by: entries.count + 1))
      entries.append(Entry(id: id, word: try String?(from: &frame)))
    }
  }
  try frame.expectEnd()
  return (message, entries)
}

extension Entry<String> {
  /// What an entry carries; nil for one that opens a term. There are no others: the members never change here.
  fileprivate var word: String? {
    if case .payload(let word) = content { word } else { nil }
  }

  fileprivate init(id: EntryID, word: String?) {
    self.init(id: id, content: word.map { .payload($0) } ?? .empty, bytes: UInt32(word?.utf8.count ?? 0))
  }
}

/// A message as numbers, for those that occur here: nobody reads, hands leadership over, or needs a snapshot.
private func numbers(of message: Message) -> [UInt64]? {
  let head = [message.from.rawValue, message.to.rawValue, message.term.rawValue]
  func pair(_ id: EntryID) -> [UInt64] { [id.term.rawValue, id.index.rawValue] }
  switch message.body {
  case .requestVote(let vote):
    return head + [1, vote.campaignTerm.rawValue, vote.isPreVote ? 1 : 0] + pair(vote.lastEntry)
  case .requestVoteReply(let reply):
    return head + [2, reply.campaignTerm.rawValue, reply.isPreVote ? 1 : 0, reply.isGranted ? 1 : 0]
  case .appendEntries(let some):
    return head + [3, some.entriesTerm.rawValue, UInt64(some.count), some.commitIndex.rawValue]
      + pair(some.previous)
  case .appendEntriesReply(.accepted(let match)): return head + [4, match.rawValue]
  case .appendEntriesReply(.rejected(let index, let hint)): return head + [5, index.rawValue] + pair(hint)
  case .heartbeat(let beat):
    return head + [6, beat.commitIndex.rawValue, beat.heldByAll.rawValue, beat.round]
  case .heartbeatReply(let reply): return head + [7, reply.round]
  case .commitNotice(let index): return head + [8, index.rawValue]
  case .staleTerm: return head + [9]
  case .timeoutNow, .readIndex, .readIndexReply, .installSnapshot, .installSnapshotReply: return nil
  }
}

/// The message that `all` stands for. Only its shape is checked here; what makes no sense the core ignores.
private func message(of all: [UInt64]) -> Message? {
  guard all.count >= 4 else { return nil }
  let n = Array(all[4...])
  func pair(_ at: Int) -> EntryID { EntryID(term: Term(n[at]), index: LogIndex(n[at + 1])) }
  let body: Message.Body? =
    switch (all[3], n.count) {
    case (1, 4):
      .requestVote(
        .init(campaignTerm: Term(n[0]), lastEntry: pair(2), isPreVote: n[1] == 1, isTransfer: false))
    case (2, 3):
      .requestVoteReply(.init(campaignTerm: Term(n[0]), isPreVote: n[1] == 1, isGranted: n[2] == 1))
    case (3, 5):
      .appendEntries(
        .init(
          previous: pair(3), entriesTerm: Term(n[0]), count: UInt32(clamping: n[1]), commitIndex: .init(n[2]))
      )
    case (4, 1): .appendEntriesReply(.accepted(match: LogIndex(n[0])))
    case (5, 3): .appendEntriesReply(.rejected(previous: LogIndex(n[0]), hint: pair(1)))
    case (6, 3): .heartbeat(.init(commitIndex: .init(n[0]), heldByAll: .init(n[1]), round: n[2]))
    case (7, 1): .heartbeatReply(HeartbeatReply(round: n[0]))
    case (8, 1): .commitNotice(LogIndex(n[0]))
    case (9, 0): .staleTerm
    default: nil
    }
  return body.map { Message(from: NodeID(all[0]), to: NodeID(all[1]), term: Term(all[2]), body: $0) }
}
