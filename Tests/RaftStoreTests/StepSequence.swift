import RaftCore
import RaftStore
import Testing

/// A life of a replica in which everything happens that a store is asked for.
struct StepSequence: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let steps: [Step]

  init(_ name: String, _ steps: Step...) {
    testDescription = name
    self.steps = [.found] + steps
  }

  /// What a store must hold before the first step and after each one, by the store in memory, whose answers
  /// ``LogStoreConformance`` and ``SnapshotStoreConformance`` spell out.
  func expected() throws -> [StoredState?] {
    var node = try WritingNode(MemoryLogStore())
    var states: [StoredState?] = [nil]
    for step in steps {
      try node.perform(step)
      var copy = node.store
      states.append(try StoredState(&copy))
    }
    return states
  }

  /// The states that may be found if step number `step` was interrupted: from the last one that was promised on, through
  /// the one that the step leads to.
  func possible(_ states: [StoredState?], interruptedIn step: Int) -> ArraySlice<StoredState?> {
    let promised = steps[..<step].lastIndex { $0.isPromise }.map { $0 + 1 } ?? 0
    return states[promised...(step + 1)]
  }

  static let all: [StepSequence] = [
    StepSequence(
      "writing",
      .append(3, after: entryID(1, 1), term: 2), .vote(term: 3, for: 3),
      .append(2, after: entryID(2, 4), term: 3, commit: 3), .configure(after: entryID(3, 6), term: 3)),
    StepSequence(
      "overwriting",
      .append(5, after: entryID(1, 1), term: 2), .append(1, after: entryID(2, 3), term: 3),
      .append(4, after: entryID(1, 1), term: 4, commit: 5), .configure(after: entryID(4, 4), term: 5)),
    StepSequence(
      "saving and compacting",
      .append(3, after: entryID(1, 1), term: 2, commit: 4), .configure(after: entryID(2, 4), term: 2),
      .append(3, after: entryID(2, 5), term: 2, commit: 8), .save(last: entryID(2, 4), count: 25),
      .compact(through: 3), .compact(through: 4), .save(last: entryID(2, 6), count: 40),
      .compact(through: 6), .retain([]), .append(2, after: entryID(2, 8), term: 3, commit: 9),
      .save(last: entryID(2, 8), count: 0), .retain([]), .compact(through: 8)),
    StepSequence(
      "installing",
      .append(4, after: entryID(1, 1), term: 2), .vote(term: 3, for: 3),
      .receive(last: entryID(2, 20), count: 30, pieces: [12, 8, 10], term: 3),
      .append(2, after: entryID(2, 20), term: 3, commit: 21), .save(last: entryID(3, 21), count: 10),
      .compact(through: 21), .append(1, after: entryID(3, 22), term: 3, commit: 22)),
    StepSequence(
      "installing over a snapshot of its own",
      .append(5, after: entryID(1, 1), term: 2, commit: 5), .save(last: entryID(2, 4), count: 10),
      .compact(through: 3), .vote(term: 4, for: 2),
      .receive(last: entryID(3, 30), count: 18, pieces: [9, 9], term: 4),
      .retain([entryID(2, 4)]), .append(1, after: entryID(3, 30), term: 4), .retain([]),
      .receive(last: entryID(4, 40), count: 12, pieces: [12], term: 5), .retain([])),
    StepSequence(
      "a saving that is overtaken by an installation",
      .append(5, after: entryID(1, 1), term: 2, commit: 6),
      .receive(last: entryID(3, 30), count: 10, pieces: [10], term: 3),
      .save(last: entryID(2, 5), count: 10), .retain([]), .append(1, after: entryID(3, 30), term: 3)),
    StepSequence(
      "receptions that lead to nothing",
      .append(2, after: entryID(1, 1), term: 2, commit: 3), .save(last: entryID(2, 3), count: 10),
      .receive(last: entryID(2, 20), count: 30, pieces: [10, 10], term: 2),
      .receive(last: entryID(2, 25), count: 30, pieces: [10, 20], term: 2, isSound: false),
      .receive(last: entryID(2, 26), count: 30, pieces: [10], term: 2),
      .append(1, after: entryID(2, 3), term: 2), .vote(term: 4, for: 2),
      .receive(last: entryID(2, 28), count: 20, pieces: [10, 10], term: 4)),
  ]
}
