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
  /// The end of a ``ClientOperation/snapshot(_:)``.
  case snapshot(Result<SnapshotReply, ReplicaError>)
}

/// What remains of a request while it is carried out: as much as its answer needs.
struct ReplyTemplate: Hashable, Sendable {
  let kind: JSONRequest.Kind
  /// The request itself, if the answer repeats its fields.
  let document: JSONDocument?

  /// The request's type as JSON text.
  var typeText: Bytes { Bytes("\"\(kind.rawValue)\"".utf8) }

  init(kind: JSONRequest.Kind, document: JSONDocument) {
    self.kind = kind
    self.document =
      switch kind {
      case .get, .ping: document
      default: nil
      }
  }
}

extension JSONWriter {
  /// Writes the answer to a request.
  mutating func write(_ answer: ClientAnswer, for template: ReplyTemplate) {
    switch (template.kind, answer) {
    case (.put, .written(let result)), (.delete, .written(let result)):
      switch result {
      case .success: writeDone(template.kind)
      case .failure(let error): write(error, for: template)
      }
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
    case (.get, .read(let result)):
      switch result {
      case .success(.value(let value)): write(value: value, for: template)
      case .success:
        writeError(
          type: template.typeText, code: "not_text", message: "the value is nothing that JSON can hold",
          mayBeExecuted: false)
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
    case (.member, .administered(let result)), (.transfer, .administered(let result)):
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

  private mutating func writeDone(_ kind: JSONRequest.Kind) {
    write(raw: #"{"type":"#)
    write(kind.rawValue)
    write(raw: #","data":true}"#)
  }

  private mutating func write(value: Bytes?, for template: ReplyTemplate) {
    write(raw: #"{"type":"get","data":"#)
    writeFields(of: template.document, replacing: ["value"])
    write(raw: #","value":"#)
    if let value { write(raw: value) } else { write(raw: "null") }
    write(raw: "}}")
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
    type: Bytes, code: String, message: String, mayBeExecuted: Bool, leader: String? = nil
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
    write(raw: "}}")
  }

  /// Writes an object with the fields of a request, without its closing brace. Fields that the answer adds itself are
  /// left out; of repeated ones, the last is taken.
  private mutating func writeFields(of document: JSONDocument?, replacing names: [String]) {
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

  private mutating func writeList<Element>(
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
