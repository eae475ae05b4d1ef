import RaftCore

/// The part that a node plays, as the specification names it. It knows no pre-candidates: such a node has changed neither
/// term nor vote, and is still a follower.
enum SpecificationRole: String, Hashable {
  case follower = "StateFollower"
  case candidate = "StateCandidate"
  case leader = "StateLeader"

  init(_ role: Role) {
    switch role {
    case .follower, .preCandidate: self = .follower
    case .candidate: self = .candidate
    case .leader: self = .leader
    }
  }
}

/// What a node shows of itself in every line.
struct SpecificationState: Hashable {
  var term: Term
  var vote: NodeID?
  var commit: LogIndex
  var log: LogIndex
  var role = SpecificationRole.follower
  /// The voters of the configuration that is *applied*: the specification knows of no other.
  var voters: [NodeID] = []
  var learners: [NodeID] = []
  /// Where the applied configuration stands in the log.
  var configurationIndex = LogIndex.zero
}

/// A message, as the specification tells messages apart.
struct SpecificationMessage: Hashable {
  enum Kind: String {
    case append = "MsgApp"
    case appendReply = "MsgAppResp"
    case heartbeat = "MsgHeartbeat"
    case heartbeatReply = "MsgHeartbeatResp"
    case snapshot = "MsgSnap"
    case vote = "MsgVote"
    case voteReply = "MsgVoteResp"
  }

  var kind: Kind
  var term: Term
  var from: NodeID
  var to: NodeID
  var entries: UInt64 = 0
  var previous = EntryID.zero
  var commit = LogIndex.zero
  var isRejected = false
  var hint = LogIndex.zero

  /// What sending or receiving it is called: snapshots and heartbeats count as appends.
  var name: String {
    switch kind {
    case .append, .heartbeat, .snapshot: "AppendEntriesRequest"
    case .appendReply, .heartbeatReply: "AppendEntriesResponse"
    case .vote: "RequestVoteRequest"
    case .voteReply: "RequestVoteResponse"
    }
  }

  /// Whether it asks for an answer. The specification makes answers itself, one for each request that is received.
  var isRequest: Bool {
    switch kind {
    case .append, .heartbeat, .snapshot, .vote: true
    case .appendReply, .heartbeatReply, .voteReply: false
    }
  }
}

/// One line of a trace.
struct SpecificationEvent {
  enum Detail {
    case none
    case message(SpecificationMessage)
    case change(node: NodeID, action: String)
    case applied([NodeID])
  }

  var name: String
  var node: NodeID
  var state: SpecificationState
  var detail = Detail.none

  /// The event as JSON, with its fields in the order in which readers expect them.
  var json: String {
    var event = JSONWriter()
    event.add("name", name)
    event.add("nid", node)
    event.add("state", object: stateJSON)
    event.add("role", state.role.rawValue)
    event.add("log", state.log.rawValue)
    // There is no second half: no change in these traces is joint.
    event.add("conf", array: [JSONWriter.array(state.voters), JSONWriter.array([])])
    switch detail {
    case .none: break
    case .message(let message): event.add("msg", object: Self.json(message))
    case .change(let node, let action):
      var change = JSONWriter()
      change.add("nid", node)
      change.add("action", action)
      event.add("prop", object: Self.property { $0.add("changes", array: [change.object]) })
    case .applied(let voters):
      event.add("prop", object: Self.property { $0.add("newconf", array: voters.map(JSONWriter.text)) })
    }
    var line = JSONWriter()
    line.add("tag", "trace")
    line.add("event", object: event.object)
    return line.object
  }

  private var stateJSON: String {
    var json = JSONWriter()
    json.add("term", state.term.rawValue)
    json.add("vote", state.vote)
    json.add("commit", state.commit.rawValue)
    return json.object
  }

  private static func json(_ message: SpecificationMessage) -> String {
    var json = JSONWriter()
    json.add("type", message.kind.rawValue)
    json.add("term", message.term.rawValue)
    json.add("from", message.from)
    json.add("to", message.to)
    json.add("entries", message.entries)
    json.add("logTerm", message.previous.term.rawValue)
    json.add("index", message.previous.index.rawValue)
    json.add("commit", message.commit.rawValue)
    json.add("vote", NodeID?.none)
    json.add("reject", message.isRejected)
    json.add("rejectHint", message.hint.rawValue)
    return json.object
  }

  private static func property(_ fill: (inout JSONWriter) -> Void) -> String {
    var change = JSONWriter()
    fill(&change)
    var property = JSONWriter()
    property.add("cc", object: change.object)
    return property.object
  }
}

/// Writes one JSON object. Names and texts in traces are plain letters and digits, so nothing needs escaping.
private struct JSONWriter {
  private var fields: [String] = []

  var object: String { "{" + fields.joined(separator: ",") + "}" }

  mutating func add(_ name: String, _ text: String) { fields.append("\"\(name)\":\"\(text)\"") }

  mutating func add(_ name: String, _ number: UInt64) { fields.append("\"\(name)\":\(number)") }

  mutating func add(_ name: String, _ flag: Bool) { fields.append("\"\(name)\":\(flag)") }

  /// Ids are text; nobody is `"0"`.
  mutating func add(_ name: String, _ node: NodeID?) { add(name, String(node?.rawValue ?? 0)) }

  mutating func add(_ name: String, object: String) { fields.append("\"\(name)\":\(object)") }

  mutating func add(_ name: String, array: [String]) {
    fields.append("\"\(name)\":[" + array.joined(separator: ",") + "]")
  }

  static func text(_ node: NodeID) -> String { "\"\(node.rawValue)\"" }

  static func array(_ nodes: [NodeID]) -> String { "[" + nodes.map(text).joined(separator: ",") + "]" }
}
