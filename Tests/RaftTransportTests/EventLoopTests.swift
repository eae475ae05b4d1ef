import Dispatch
import RaftTransport
import Synchronization
import Testing

@Suite("The loop and its timers", .timeLimit(.minutes(5)))
struct EventLoopTests {
  @Test("the loop knows its own turns, and runs at once what is run from within")
  func turns() {
    let loop = EventLoop()
    #expect(!loop.isCurrent)
    #expect(loop.run { loop.isCurrent })
    #expect(loop.run { loop.run { 7 } } == 7)
  }

  @Test("timers run in the order of their deadlines, none before it, and cancelled ones never")
  func timers() async {
    let loop = EventLoop()
    let order = await withCheckedContinuation { (continuation: CheckedContinuation<[Int], Never>) in
      loop.run {
        let fired = Mutex<[Int]>([])
        let box = Box(fired)
        let start = loop.milliseconds
        var random = TestRandom(seed: 9)
        var timers: [LoopTimer] = []
        for delay in (0..<300).shuffled(using: &random) {
          let deadline = start + UInt64(delay / 10)
          timers.append(
            loop.schedule(at: deadline) {
              #expect(loop.milliseconds >= deadline)
              box.value.withLock { $0.append(delay) }
            })
          if delay % 3 == 0 { timers.removeLast().cancel() }
        }
        loop.schedule(at: start + 40) { continuation.resume(returning: box.value.withLock { $0 }) }
      }
    }
    #expect(order.count == 200)
    #expect(order.map { $0 / 10 } == order.map { $0 / 10 }.sorted())
    #expect(order.allSatisfy { $0 % 3 != 0 })
  }

  @Test("a timer may schedule and cancel others, and one in the past runs at once")
  func nestedTimers() async {
    let loop = EventLoop()
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      loop.run {
        let never = loop.schedule(after: 5) { Issue.record("it was cancelled") }
        loop.schedule(at: 0) {
          never.cancel()
          loop.schedule(after: 10) { continuation.resume() }
        }
      }
    }
  }

  @Test("a timer with a deadline beyond all times never runs and does no harm")
  func endlessTimer() async {
    let loop = EventLoop()
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      loop.run {
        loop.schedule(at: .max) { Issue.record("it ran") }
        loop.schedule(after: 2) { continuation.resume() }
      }
    }
  }

  @Test("what is posted is done in order, whoever posts, and however long the loop has slept")
  func posting() async {
    let loop = EventLoop()
    for _ in 0..<1_000 {
      // Each of these finds the loop asleep, or about to be.
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.async { done.resume() }
      }
    }
    let box = Box(Mutex<[Int]>([]))
    for number in 0..<100 { loop.async { box.value.withLock { $0.append(number) } } }
    #expect(loop.run { box.value.withLock { $0 } } == Array(0..<100))
  }

  @Test("what was posted is done although nobody holds the loop any more")
  func lastWords() async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      EventLoop().async { done.resume() }
    }
  }

  @Test("hundreds of loops in a process leave threads for others")
  func crowd() async {
    let loops = (0..<300).map { EventLoop(label: "crowd \($0)") }
    for (number, loop) in loops.enumerated() { #expect(loop.run { number } == number) }
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      DispatchQueue(label: "other").async { done.resume() }
    }
    withExtendedLifetime(loops) {}
  }

  @Test("an error that is thrown on the loop reaches whoever waits for it")
  func errors() {
    struct Fault: Error, Equatable {}
    let loop = EventLoop()
    #expect(throws: Fault()) { try loop.run { throw Fault() } }
  }

  private final class Box<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
  }
}
