/// What happened in a run, in order.
public struct RunRecording: Sendable {
  /// "seed 17, profile hostile, 5 nodes".
  public var title: String
  /// The command line that shows the run again.
  public var command: String
  /// Names of the hosts.
  public var nodes: [String]
  /// Names of the clients.
  public var clients: [String]
  /// What happened, the earliest first.
  public var events: [RunEvent]
  /// Rules that were broken.
  public var violations: [String]
  /// How many earlier events are missing: a recording keeps the last ones.
  public var eventsDropped: Int

  /// Describes a run.
  public init(
    title: String, command: String, nodes: [String], clients: [String], events: [RunEvent],
    violations: [String], eventsDropped: Int
  ) {
    self.title = title
    self.command = command
    self.nodes = nodes
    self.clients = clients
    self.events = events
    self.violations = violations
    self.eventsDropped = eventsDropped
  }
}

/// One event of a run.
public struct RunEvent: Sendable, Hashable {
  /// When.
  public var tick: UInt64
  /// At which host, by its position among the names.
  public var node: Int
  /// What.
  public var kind: Kind

  /// Describes an event.
  public init(tick: UInt64, node: Int, kind: Kind) {
    self.tick = tick
    self.node = node
    self.kind = kind
  }

  /// What can happen.
  public enum Kind: Sendable, Hashable {
    /// A process started; `life` is unique in the run.
    case started(life: UInt64)
    /// A process died.
    case crashed
    /// A process stands still.
    case paused(until: UInt64)
    /// A node plays another part.
    case role(name: String, term: UInt64)
    /// A message leaves; its number pairs it with its arrival.
    case sent(message: UInt64, to: Int, text: String, term: UInt64)
    /// A message arrives.
    case arrived(message: UInt64, from: Int)
    /// A message is lost.
    case lost(message: UInt64)
    /// The commit index rose.
    case committed(index: UInt64)
    /// The applied index rose.
    case applied(index: UInt64)
    /// A write was handed to the disk.
    case wrote(text: String)
    /// A write is durable.
    case synced(text: String)
    /// Something about a snapshot.
    case snapshot(text: String)
    /// Another configuration is in force.
    case configuration(text: String)
    /// A client asks for something.
    case asked(client: Int, operation: UInt64, text: String)
    /// A client is answered.
    case answered(client: Int, operation: UInt64, text: String)
    /// A misfortune, or an operator's command.
    case fault(text: String)
    /// A rule is broken.
    case violation(text: String)
  }
}
