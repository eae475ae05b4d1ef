// Your own transport under the bare core: three nodes, each with a thread, a clock and TCP connections of its own.

import Dispatch
import Glibc
import RaftCore

/// A TCP socket that `attach` binds or connects to a port of 127.0.0.1; nil if it cannot.
func tcpSocket(_ port: UInt16, _ attach: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32? {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var (address, isOn) = (sockaddr_in(), Int32(1))
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, 4)
  let result = withUnsafePointer(to: address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { attach(descriptor, $0, 16) }
  }
  if result != 0 { close(descriptor) }
  return result == 0 ? descriptor : nil
}

/// Ticks of 10 ms on a clock that also counts while the machine sleeps.
func ticks() -> Ticks {
  var time = timespec()
  clock_gettime(CLOCK_BOOTTIME, &time)
  return Ticks(UInt64(time.tv_sec) * 100 + UInt64(time.tv_nsec) / 10_000_000)
}

/// A frame is its length, a message, and the entries that it names. Gives the next one that is there as a whole.
func nextFrame(from reader: inout ByteReader) throws(MalformedBytes) -> (Message, [Entry<String>])? {
  var ahead = reader
  guard ahead.remaining >= 4 else { return nil }
  let length = Int(try ahead.readUInt32())
  guard length <= 1 << 20 else { throw MalformedBytes("a frame of \(length) bytes", offset: reader.offset) }
  guard ahead.remaining >= length else { return nil }
  var (frame, entries) = (ByteReader(try ahead.readRaw(length)), [Entry<String>]())
  reader = ahead
  let message = try Message(from: &frame)
  while frame.remaining > 0 { entries.append(try Entry(from: &frame)) }
  return (message, entries)
}

/// A node sends on the connections that it has dialed, and receives on those that it has accepted.
struct Node {
  var raft: RaftNode<String>
  let ports: [NodeID: UInt16]
  let listener: Int32
  var outputs = Outputs()
  var dialed: [NodeID: Int32] = [:]
  var accepted: [(socket: Int32, bytes: Bytes)] = []
  var applied: [String] = []
  var proposedIn = Term.zero

  /// Waits for bytes, or until time makes the core act, and does what there is to do.
  mutating func turn(proposing words: [String]) {
    var polled = ([listener] + accepted.map(\.socket)).map { pollfd(fd: $0, events: 1, revents: 0) }
    poll(&polled, nfds_t(polled.count), Int32(clamping: raft.ticksUntilNextDeadline * 10))
    raft.advance(to: ticks(), into: &outputs)
    for position in accepted.indices.reversed() where polled[position + 1].revents != 0 { receive(position) }
    if polled[0].revents != 0 { accepted.append((accept(listener, nil, nil), [])) }
    if raft.isLeader, proposedIn < raft.term {
      proposedIn = raft.term
      for word in words { _ = try? raft.propose(word, bytes: UInt32(word.utf8.count), into: &outputs) }
    }
    carryOut()
  }

  /// Steps every frame that is complete. A connection that ends, or brings something else, is closed.
  mutating func receive(_ position: Int) {
    var buffer = Bytes(repeating: 0, count: 1 << 16)
    let count = recv(accepted[position].socket, &buffer, buffer.count, 0)
    var rest = ByteReader(accepted[position].bytes + buffer.prefix(max(count, 0)))
    do {
      guard count > 0 else { throw MalformedBytes("the end", offset: 0) }
      while let (message, entries) = try nextFrame(from: &rest) {
        if message.to == raft.id { raft.step(message, entries: entries, into: &outputs) }
        carryOut()
      }
      accepted[position].bytes = try rest.readRaw(rest.remaining)
    } catch {
      close(accepted.remove(at: position).socket)
    }
  }

  /// Carries out what the core asks for, until it asks for nothing any more.
  mutating func carryOut() {
    repeat {
      let messages = outputs.messages
      outputs.removeAll()
      for message in messages { send(message) }
      // A store that survives a crash first writes the hard state and `raft.entries(after:through:)`, and syncs.
      while let write = raft.takeWrite() { raft.didPersist(write.assumeDurable(), into: &outputs) }
    } while !outputs.messages.isEmpty
    while let range = raft.takeCommitted(bytesMax: 1 << 20) {
      for entry in raft.entries(after: range.after, through: range.through) ?? [] {
        // What a deposed leader has left in the log, its successor may have proposed once more.
        if case .payload(let word) = entry.content, !applied.contains(word) { applied.append(word) }
      }
      raft.didApply(through: range.through)
    }
  }

  /// Any message may be lost, but no part of one: a connection that does not take all of it is given up.
  mutating func send(_ message: Message) {
    let (peer, entries) = (message.to, raft.entries(for: message))
    // The log has changed since the message was made: another one follows.
    if case .appendEntries = message.body, entries == nil { return }
    var frame = ByteWriter()
    frame.write(UInt32(0))
    message.encode(into: &frame)
    for entry in entries ?? [] { entry.encode(into: &frame) }
    frame.overwrite(UInt32(frame.count - 4), at: 0)
    if dialed[peer] == nil, let port = ports[peer] { dialed[peer] = tcpSocket(port, connect) }
    guard let socket = dialed[peer] else { return }
    let sent = Glibc.send(socket, frame.bytes, frame.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    if sent == frame.count { return }
    close(socket)
    dialed[peer] = nil
    raft.connectionLost(to: peer, into: &outputs)
  }
}

let given = CommandLine.arguments.dropFirst().compactMap { UInt16($0) }
let ports = given.count == 3 ? given : [5_200, 5_201, 5_202]
let words = ["any", "transport", "will", "do"]
let members = zip(1...3, ports).map { Member(id: NodeID($0), address: "127.0.0.1:\($1)", store: .memory) }
let portOfMember = Dictionary(uniqueKeysWithValues: zip(members.map(\.id), ports))
let founding = RecoveredState<String>.founding(try Configuration(voters: members))
let finished = DispatchGroup()
for (member, port) in zip(members, ports) {
  guard let listener = tcpSocket(port, bind), listen(listener, 8) == 0 else {
    print("nothing can listen at \(member.address)")
    exit(1)
  }
  let raft = try RaftNode(id: member.id, recovered: founding, seed: UInt64(port), now: ticks())
  let start = Node(raft: raft, ports: portOfMember, listener: listener)
  finished.enter()
  DispatchQueue(label: "\(member.id)").async {
    var node = start
    while node.applied.count < words.count { node.turn(proposing: words) }
    print("\(node.raft.id) has applied: \(node.applied.joined(separator: " "))")
    finished.leave()
    while true { node.turn(proposing: []) }
  }
}
finished.wait()
print("all three have applied them")
exit(0)
