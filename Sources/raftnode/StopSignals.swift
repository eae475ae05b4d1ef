import Dispatch
import Glibc

/// Turns SIGTERM and SIGINT into a stream. SIGPIPE is ignored: a client that went away must not end the node.
final class StopSignals: Sendable {
  /// The signals, as they come.
  let received: AsyncStream<Int32>
  private let queue = DispatchQueue(label: "raftnode.signals")

  init() {
    let (received, continuation) = AsyncStream.makeStream(
      of: Int32.self, bufferingPolicy: .bufferingNewest(8))
    self.received = received
    signal(SIGPIPE, SIG_IGN)
    for number in [SIGTERM, SIGINT] {
      // Dispatch watches a signal; that it does not end the process as well has to be asked for.
      signal(number, SIG_IGN)
      // A source is made and activated on its own queue: elsewhere, libdispatch's epoll back end races with itself.
      queue.sync {
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler {
          // Keeps the source: a dropped one never fires again.
          withExtendedLifetime(source) { _ = continuation.yield(number) }
        }
        source.activate()
      }
    }
  }

  /// The name of a signal, as an operator knows it.
  static func name(of number: Int32) -> String { number == SIGTERM ? "SIGTERM" : "SIGINT" }
}
