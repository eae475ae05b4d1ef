import Foundation
import Synchronization
import Testing

/// Everything that starts processes. One after another: side by side, they would take the processor from each other, and
/// a cluster that is starved elects leaders for no other reason.
@Suite(
  "raftnode as a process", .serialized, .blocking,
  .compactMapIssues { issue in
    FailureNote.note()
    return issue
  })
enum EndToEnd {}

/// Runs each piece of a task on a thread of its own, so that tests may wait for sockets and processes: the few threads
/// that tasks otherwise share are there for those who do not block.
final class BlockingExecutor: TaskExecutor {
  static let shared = BlockingExecutor()

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// Gives every test of a suite the ``BlockingExecutor``, and a ``FailureNote``.
struct BlockingTrait: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(BlockingExecutor.shared) {
      try await FailureNote.$current.withValue(FailureNote()) { try await function() }
    }
  }
}

extension Trait where Self == BlockingTrait {
  static var blocking: BlockingTrait { BlockingTrait() }
}

/// Whether the test that runs has failed so far: then what its nodes logged is worth reading.
final class FailureNote: Sendable {
  @TaskLocal static var current: FailureNote?

  private let isFailed = Mutex(false)

  static var isFailed: Bool { current?.isFailed.withLock { $0 } ?? false }
  static func note() { current?.isFailed.withLock { $0 = true } }
}

/// Something that was waited for did not come.
struct NeverHappened: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}

/// Nanoseconds of a clock that does not go back.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Waits until `condition` yields something, looking again every few milliseconds.
///
/// - Throws: ``NeverHappened`` with `what` after `seconds`, or what `condition` throws.
func eventually<Value>(
  _ what: @autoclosure () -> String, within seconds: Double = 30, _ condition: () throws -> Value?
) throws -> Value {
  let deadline = monotonicNanoseconds() + UInt64(seconds * 1e9)
  while true {
    if let value = try condition() { return value }
    guard monotonicNanoseconds() < deadline else {
      throw NeverHappened("within \(seconds) seconds it never happened that \(what())")
    }
    usleep(5_000)
  }
}

/// Waits until `condition` holds; see ``eventually(_:within:_:)-(_,_,()->Value?)``.
func eventually(
  _ what: @autoclosure () -> String, within seconds: Double = 30, holds condition: () throws -> Bool
) throws {
  _ = try eventually(what(), within: seconds) { try condition() ? () : nil }
}

/// Random numbers that are the same in every run.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
