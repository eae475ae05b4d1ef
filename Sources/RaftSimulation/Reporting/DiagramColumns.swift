/// Where the lines of a drawing are: time at the left, then the hosts, then the clients.
struct DiagramColumns {
  /// Names of the hosts, and of one more line if something happens at a host that the recording does not name.
  let nodes: [String]
  /// Names of the clients, and of one more line likewise.
  let clients: [String]
  /// The pixels that each host has.
  let nodeWidth: Double
  /// The pixels that each client has.
  let clientWidth: Double
  /// Whether there is room for words beside the line of a client.
  var hasClientWords: Bool { clientWidth > 60 }
  /// The pixels for the time.
  static let left = 84.0

  private let named: (nodes: Int, clients: Int)

  init(_ recording: RunRecording) {
    let events = recording.events
    named = (recording.nodes.count, recording.clients.count)
    let named = named
    let hasOtherNode = events.contains { event in
      !event.nodes.allSatisfy { (0..<named.nodes).contains($0) }
    }
    let hasOtherClient = events.contains { event in
      event.client.map { !(0..<named.clients).contains($0) } ?? false
    }
    nodes = recording.nodes + (hasOtherNode ? ["other hosts"] : [])
    clients = recording.clients + (hasOtherClient ? ["others"] : [])
    nodeWidth = nodes.count <= 5 ? 168 : nodes.count <= 8 ? 132 : 104
    clientWidth = clients.count <= 4 ? 132 : 36
  }

  /// How many lines there are for hosts; at least one, so that everything has a place.
  var lines: Int { max(1, nodes.count) }

  var width: Double {
    Self.left + Double(lines) * nodeWidth + Double(clients.count) * clientWidth + 24
  }

  /// The line of a host.
  func line(of node: Int) -> Int { (0..<named.nodes).contains(node) ? node : named.nodes }

  func x(line: Int) -> Double { Self.left + (Double(line) + 0.3) * nodeWidth }
  func x(node: Int) -> Double { x(line: line(of: node)) }

  func x(client: Int) -> Double {
    let line = (0..<named.clients).contains(client) ? client : named.clients
    return Self.left + Double(lines) * nodeWidth + 12 + Double(line) * clientWidth
  }

  /// Where the hosts end and the clients begin.
  var border: Double { Self.left + Double(lines) * nodeWidth - 8 }
}

extension RunEvent {
  /// The hosts that it is about.
  fileprivate var nodes: [Int] {
    switch kind {
    case .sent(_, let to, _, _): [node, to]
    case .arrived(_, let from): [node, from]
    default: [node]
    }
  }

  /// The client that asks or is answered.
  var client: Int? {
    switch kind {
    case .asked(let client, _, _), .answered(let client, _, _): client
    default: nil
    }
  }
}
