import Foundation
import Synchronization

/// What the clients of a soak did, in epochs: each has keys of its own, so that histories stay short however long it takes.
/// A history is checked when its epoch is over, and forgotten but for what is to be found under its keys from then on.
final class SoakRecord: Sendable {
  typealias Operation = KeyedOperation<String, String>

  /// Keys that are in use for a while, and what was done to them.
  struct Epoch: Sendable {
    let number: Int
    var operations: [Operation] = []
    /// How many operations were begun.
    fileprivate var begun = 0
    /// How many of those have not ended.
    fileprivate var underWay = 0

    fileprivate init(_ number: Int) { self.number = number }

    /// All of its keys.
    var keys: [String] { (0..<SoakRecord.keysPerEpoch).map { "\(number)-\($0)" } }
  }

  /// What clients saw, in numbers.
  struct Count: Sendable {
    var operations = 0
    var acknowledgedWrites = 0
    var reads = 0
    var refused = 0
    var unknown = 0
    /// Reads that came to nothing, and attempts for which nobody could be reached.
    var withoutAnswer = 0
    /// How long a client insisted at most until an operation succeeded, in nanoseconds.
    var longest: UInt64 = 0
    /// What happened to clients that insisted for long, the longest of them first.
    var slowest: [(nanoseconds: UInt64, story: String)] = []

    /// The same in words.
    var stories: [String] { slowest.map { "\($0.nanoseconds / 1_000_000) ms: \($0.story)" } }
  }

  static let keysPerEpoch = 16
  private static let operationsPerEpoch = 4_000
  /// What takes longer is worth a story.
  private static let storyNanoseconds: UInt64 = 1_000_000_000
  /// How many epochs may wait for their check; clients wait beyond it.
  fileprivate static let finishedMax = 4

  fileprivate struct State {
    var current = Epoch(0)
    /// Over, but for operations that have not ended.
    var closing: [Epoch] = []
    var finished: [Epoch] = []
    var count = Count()
    var isStopping = false
  }

  private let state = Mutex(State())

  /// Has all clients finish what they are doing, and no more.
  func stop() { state.withLock { $0.isStopping = true } }

  var count: Count { state.withLock { $0.count } }

  /// Begins an operation. Returns the number of the epoch to which it belongs; nil when it is time to stop.
  func begin() -> Int? {
    while true {
      let (number, isStopping): (Int?, Bool) = state.withLock { state in
        guard !state.isStopping, state.finished.count < Self.finishedMax else {
          return (nil, state.isStopping)
        }
        if state.current.begun >= Self.operationsPerEpoch { state.closeEpoch() }
        state.current.begun += 1
        state.current.underWay += 1
        return (state.current.number, false)
      }
      if number != nil || isStopping { return number }
      usleep(10_000)
    }
  }

  /// Ends an operation of an epoch. Nil says nothing: a read that was not answered.
  func end(_ epoch: Int, _ operation: Operation?) {
    state.withLock { state in
      state.count.add(operation)
      if state.current.number == epoch {
        state.current.end(operation)
      } else if let place = state.closing.firstIndex(where: { $0.number == epoch }) {
        state.closing[place].end(operation)
        state.moveFinished()
      }
    }
  }

  /// An operation has succeeded on which a client has insisted for so long.
  func note(insisted nanoseconds: UInt64, _ story: @autoclosure () -> String) {
    state.withLock { state in
      state.count.longest = max(state.count.longest, nanoseconds)
      guard
        nanoseconds > max(Self.storyNanoseconds, state.count.slowest.dropFirst(19).first?.nanoseconds ?? 0)
      else { return }
      let place = state.count.slowest.firstIndex { $0.nanoseconds < nanoseconds }
      state.count.slowest.insert((nanoseconds, story()), at: place ?? state.count.slowest.count)
      state.count.slowest = Array(state.count.slowest.prefix(20))
    }
  }

  /// The next epoch to be checked; waits for it. Nil when there will be none any more.
  func takeFinished() -> Epoch? {
    while true {
      let (epoch, isOver): (Epoch?, Bool) = state.withLock { state in
        if !state.finished.isEmpty { return (state.finished.removeFirst(), false) }
        guard state.isStopping else { return (nil, false) }
        if state.current.begun > 0 { state.closeEpoch() }
        return (nil, state.closing.isEmpty && state.finished.isEmpty)
      }
      if epoch != nil || isOver { return epoch }
      usleep(10_000)
    }
  }
}

extension SoakRecord.Epoch {
  fileprivate mutating func end(_ operation: SoakRecord.Operation?) {
    underWay -= 1
    if let operation { operations.append(operation) }
  }
}

extension SoakRecord.State {
  fileprivate mutating func closeEpoch() {
    closing.append(current)
    current = SoakRecord.Epoch(current.number + 1)
    moveFinished()
  }

  fileprivate mutating func moveFinished() {
    finished += closing.filter { $0.underWay == 0 }
    closing.removeAll { $0.underWay == 0 }
  }
}

extension SoakRecord.Count {
  fileprivate mutating func add(_ operation: SoakRecord.Operation?) {
    operations += 1
    switch (operation?.action, operation?.ending) {
    case (.read, .acknowledged): reads += 1
    case (.write, .acknowledged): acknowledgedWrites += 1
    case (.write, .notExecuted): refused += 1
    case (.write, .unknown): unknown += 1
    default: withoutAnswer += 1
    }
  }
}

extension SoakRecord.Count: CustomStringConvertible {
  var description: String {
    "\(operations) operations, \(acknowledgedWrites) writes acknowledged, \(reads) reads, \(refused) writes refused, "
      + "\(unknown) of unknown outcome, \(withoutAnswer) without any; longest interval in which a client insisted "
      + "without success: \(longest / 1_000_000) milliseconds"
  }
}
