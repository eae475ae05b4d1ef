/// The configurations of the retained log. The last one is in force, committed or not (thesis §4.1); truncation brings
/// the one before it back.
struct ConfigurationLog: Sendable {
  /// Never empty; ascending by index. The first one is that at or before the log's base.
  private var entries: [IndexedConfiguration]

  init(base: IndexedConfiguration) { entries = [base] }

  /// The configuration in force, and where it stands.
  var current: IndexedConfiguration { entries[entries.count - 1] }

  /// The configuration that an entry at exactly `index` carries.
  func configuration(at index: LogIndex) -> Configuration? {
    entries.last { $0.index == index }?.configuration
  }

  /// The configuration in force at `index`, which is not before the first one.
  func inForce(at index: LogIndex) -> IndexedConfiguration? { entries.last { $0.index <= index } }

  /// Whether `id` votes in the configuration in force at `index`, or in any that follows it.
  func isVoter(_ id: NodeID, since index: LogIndex) -> Bool {
    for entry in entries.reversed() {
      if entry.configuration.isVoter(id) { return true }
      if entry.index <= index { return false }
    }
    return false
  }

  mutating func append(_ configuration: IndexedConfiguration) {
    assert(configuration.index > current.index, "configurations are appended in order")
    entries.append(configuration)
  }

  /// Returns whether another configuration is in force afterwards.
  mutating func truncate(after index: LogIndex) -> Bool {
    let count = entries.count
    while entries.count > 1, current.index > index { entries.removeLast() }
    return entries.count != count
  }

  mutating func compact(through index: LogIndex) {
    while entries.count > 1, entries[1].index <= index { entries.removeFirst() }
  }
}
