import RaftCore
import RaftServer

/// How a request ended, as the node that carried it out tells it.
public enum ClientAnswer: Sendable {
  /// The end of a ``ClientOperation/write(_:)``.
  case written(Result<KeyValueOutcome, ReplicaError>)
  /// The end of a ``ClientOperation/read(_:)``.
  case read(Result<KeyValueAnswer, ReplicaError>)
  /// What the node knows, for a ``ClientOperation/status``.
  case status(ReplicaStatus)
  /// The end of a ``ClientOperation/administer(_:)``.
  case administered(Result<Void, MembershipError>)
  /// The end of a ``ClientOperation/session(closing:)``: the name of the session that was opened.
  case session(Result<UInt64?, ReplicaError>)
  /// The end of a ``ClientOperation/readStale(_:)``, and how old the answer is at most, in milliseconds; nil if that is not
  /// known.
  case readStale(Result<KeyValueAnswer, ReplicaError>, age: UInt64?)
  /// The end of a ``ClientOperation/watch(_:)``: the log index from which on changes are told.
  case watching(WatchRequest, Result<UInt64, ReplicaError>)
  /// The end of a ``ClientOperation/unwatch(id:)``.
  case unwatched(id: Bytes?)
  /// The end of a ``ClientOperation/leases``.
  case leases(Bool)
  /// The end of a ``ClientOperation/snapshot(_:)``.
  case snapshot(Result<SnapshotReply, ReplicaError>)
}

extension ClientAnswer {
  /// About how many bytes of values are in it.
  package var bytes: Int {
    switch self {
    case .read(.success(let answer)), .readStale(.success(let answer), _): answer.bytes
    case .snapshot(.success(.piece(_, _, let piece))): piece.count
    default: 0
    }
  }
}

extension KeyValueAnswer {
  fileprivate var bytes: Int {
    switch self {
    case .value(let value): value?.count ?? 0
    case .found(let finding): finding.value?.payload.count ?? 0
    case .page(let page): page.items.reduce(0) { $0 + $1.key.count + $1.value.payload.count }
    case .namespacePage(let page): page.names.reduce(0) { $0 + $1.count }
    default: 0
    }
  }
}

/// What remains of a request while it is carried out: as much as its answer needs.
struct ReplyTemplate: Hashable, Sendable {
  let kind: JSONRequest.Kind
  /// The request itself, if the answer repeats its fields.
  let document: JSONDocument?
  /// Whether versions are to be told.
  let wantsVersion: Bool
  /// Whether the time is to be told that is left.
  let wantsTTL: Bool
  /// Whether a scan is for values, too.
  let wantsValues: Bool

  /// The request's type as JSON text.
  var typeText: Bytes { Bytes("\"\(kind.rawValue)\"".utf8) }

  init(kind: JSONRequest.Kind, document: JSONDocument) {
    self.kind = kind
    self.document =
      switch kind {
      case .get, .ping: document
      default: nil
      }
    wantsVersion = document.isTrue(JSONRequest.Field.version)
    wantsTTL = document.isTrue(JSONRequest.Field.ttl)
    wantsValues =
      document.value(of: JSONRequest.Field.values) == nil || document.isTrue(JSONRequest.Field.values)
  }
}

extension JSONWriter {
  /// Writes the answer to a request.
  mutating func write(_ answer: ClientAnswer, for template: ReplyTemplate) {
    switch (template.kind, answer) {
    case (_, .written(.success(let outcome))): write(outcome, for: template)
    case (_, .written(.failure(let error))), (_, .read(.failure(let error))),
      (_, .readStale(.failure(let error), _)), (_, .watching(_, .failure(let error))):
      write(error, for: template)
    case (_, .readStale(.success(let answer), let age)): write(answer, .some(age), for: template)
    case (_, .read(.success(let answer))): write(answer, nil, for: template)
    case (.watch, .watching(let request, .success(let index))): write(request, from: index)
    case (.unwatch, .unwatched): writeDone(template.kind)
    case (.lease, .leases(let isOn)): writeLease(isOn)
    case (.session, .session(let result)):
      switch result {
      case .success(nil): writeDone(template.kind)
      case .success(let id?):
        write(raw: #"{"type":"session","data":true,"session":"#)
        write(id)
        write(raw: "}")
      case .failure(let error): write(error, for: template)
      }
    case (.snapshot, .snapshot(let result)):
      switch result {
      case .success(let reply): write(reply)
      case .failure(let error): write(error, for: template)
      }
    case (.ping, .status(let status)):
      writeFields(of: template.document, replacing: ["is_alive", "addr"])
      write(raw: #","is_alive":true,"addr":"#)
      write(status.address)
      write(raw: "}")
    case (.peers, .status(let status)):
      writePeers(status)
    case (.addPeer, .status(let status)):
      writeKnownPeers(status)
    case (.status, .status(let status)):
      write(status)
    case (.member, .administered(let result)), (.transfer, .administered(let result)),
      (.lease, .administered(let result)):
      write(result, for: template)
    default:
      preconditionFailure("a request is given the answer that its operation asks for")
    }
  }

  /// Writes the answer to a request that was turned away.
  mutating func write(_ refusal: RequestRefusal) {
    writeError(
      type: refusal.type, code: refusal.code.rawValue, message: refusal.message, mayBeExecuted: false)
  }

  // MARK: - Put, get and delete

  mutating func writeDone(_ kind: JSONRequest.Kind) {
    write(raw: #"{"type":"#)
    write(kind.rawValue)
    write(raw: #","data":true}"#)
  }

  private mutating func write(_ error: ReplicaError, for template: ReplyTemplate) {
    let mayBeExecuted =
      switch error {
      case .notExecuted: false
      case .unknown: true
      }
    writeError(
      type: template.typeText, code: error.reason.rawValue,
      message: error.reason.explanation,
      mayBeExecuted: mayBeExecuted)
  }

  /// `data` is false, never a string: the clients there are take anything truthy for success.
  mutating func writeError(
    type: Bytes, code: String, message: String, mayBeExecuted: Bool, leader: String? = nil,
    more writeMore: (inout JSONWriter) -> Void = { _ in }
  ) {
    write(raw: #"{"type":"#)
    write(raw: type)
    write(raw: #","data":false,"error":{"code":"#)
    write(code)
    write(raw: #","message":"#)
    write(message)
    write(raw: #","outcome":"#)
    write(mayBeExecuted ? "unknown" : "not_executed")
    if let leader {
      write(raw: #","leader":"#)
      write(leader)
    }
    writeMore(&self)
    write(raw: "}}")
  }

  /// Writes an object with the fields of a request, without its closing brace. Fields that the answer adds itself are
  /// left out; of repeated ones, the last is taken.
  mutating func writeFields(of document: JSONDocument?, replacing names: [String]) {
    guard let document else { return }
    let replaced = names.map { Bytes("\"\($0)\"".utf8) }
    var separator: StaticString = "{"
    for member in document.distinctMembers
    where !replaced.contains(where: { document.text[member.name].elementsEqual($0) }) {
      write(raw: separator)
      write(raw: document.text[member.name])
      write(raw: ":")
      write(raw: document.text[member.value])
      separator = ","
    }
  }

  private mutating func write(_ result: Result<Void, MembershipError>, for template: ReplyTemplate) {
    guard case .failure(let error) = result else { return writeDone(template.kind) }
    if case .failed(let failure) = error { return write(failure, for: template) }
    var leader: String?
    if case .notLeader(let address) = error { leader = address }
    writeError(
      type: template.typeText, code: error.code, message: error.description, mayBeExecuted: false,
      leader: leader)
  }

  // MARK: - What the node knows

  private mutating func writePeers(_ status: ReplicaStatus) {
    let others = status.members.filter { $0.address != status.leaderAddress }
    write(raw: #"{"type":"peers","peers":"#)
    writeList(others) { $0.write($1.address) }
    // Lists beside the first one, in its order: clients that read a thousand bytes at once shall find everything there.
    write(raw: #","roles":"#)
    writeList(others) { $0.write($1.isVoter ? "voter" : "learner") }
    write(raw: #","reachable":"#)
    writeList(others) { $0.write($1.isReachable) }
    write(raw: "}")
  }

  /// Nodes join by themselves, so nothing is changed, and the answer says so to those who read that far.
  private mutating func writeKnownPeers(_ status: ReplicaStatus) {
    write(raw: #"{"type":"add_peer","payload":"#)
    writeList(status.members.filter { $0.address != status.address }) { $0.write($1.address) }
    write(
      raw:
        #","added":false,"message":"a node joins by itself: start it with --peers naming any member; nothing was changed"}"#
    )
  }

  mutating func writeList<Element>(
    _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
  ) {
    write(raw: "[")
    for (position, element) in elements.enumerated() {
      if position > 0 { write(raw: ",") }
      body(&self, element)
    }
    write(raw: "]")
  }
}

extension MembershipError {
  /// What a program can act on.
  fileprivate var code: String {
    switch self {
    case .notLeader: "not_leader"
    case .refused: "refused"
    case .unknownMember: "not_a_member"
    case .notTransferred: "refused"
    case .waiting: "waiting"
    case .failed(let error): error.reason.rawValue
    }
  }
}
