import RaftCore

/// A moment, on both clocks that a replica needs.
package struct Moment: Hashable, Sendable {
  /// Monotonic, counting suspension: by it timers run.
  package var ticks: Ticks
  /// Milliseconds since 1970: stamped into proposals, and never compared with another node's.
  package var wallMilliseconds: UInt64

  package init(ticks: Ticks, wallMilliseconds: UInt64) {
    self.ticks = ticks
    self.wallMilliseconds = wallMilliseconds
  }
}
