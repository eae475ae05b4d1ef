import RaftCore

// Who takes part, and who leads.

extension DriverCore {
  /// Begins to change who takes part, if this node leads.
  ///
  /// - Returns: Its ticket, under which exactly one completion will follow: ``WriteResult/configured`` once the change is
  ///   committed. A change of several voters is then sure to be carried out, and may still be in its joint phase.
  /// - Throws: `ConfigurationChangeError`; nothing has changed then.
  mutating func changeConfiguration(
    _ changes: [ConfigurationChange], deadline: Ticks
  ) throws(ConfigurationChangeError) -> UInt64 {
    try node.changeConfiguration(changes, into: &outputs)
    let ticket = requests.add(.init(body: .change, deadline: deadline, stage: .proposed))
    for overtaken in proposals.add(.init(entry: node.lastEntry, origin: .local(ticket: ticket))) {
      abandon(overtaken)
    }
    return ticket
  }

  /// Hands leadership to `target`.
  ///
  /// - Throws: `TransferError`; nothing has changed then.
  mutating func transferLeadership(to target: NodeID) throws(TransferError) {
    try node.transferLeadership(to: target, into: &outputs)
  }

  /// Gives leadership up, to whoever is best placed.
  mutating func stepDown() { node.stepDown(into: &outputs) }
}
