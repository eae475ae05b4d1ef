/// State that must be on stable storage before what it justifies may leave (thesis §3.8, fig. 3.1).
///
/// The core hands it out with ``RaftNode/takeWrite()``; a log store makes it durable and returns the proof; the driver
/// redeems the proof with ``RaftNode/didPersist(_:into:)``. It cannot be copied, and dropping it traps: a dropped write
/// is lost durability.
///
/// What it asks for, in order and all or nothing: if ``installs`` names a snapshot, let it take the place of the state
/// machine and of the whole log; replace the hard state; cut the log after ``after``; append entries `(after, through]`.
public struct PendingWrite: ~Copyable, Sendable {
  /// Term and vote.
  public let hardState: HardState
  /// Highest index known committed when the write was taken: worth storing as a hint, needs no sync of its own.
  public let commitIndex: LogIndex
  /// Where the snapshot ends that was received completely, and that state machine and log start from as soon as this is
  /// durable; the whole of it is ``RaftNode/installingSnapshot``. A crash before leaves the old state, a crash after the
  /// new one.
  public let installs: EntryID?
  /// Whatever the store holds beyond this index is to be discarded.
  public let after: LogIndex
  /// Index of the last entry to append; equal to ``after`` if only the hard state changed.
  public let through: LogIndex
  let replica: ReplicaToken
  let sequence: UInt64

  /// Turns the write into the proof that it is durable. For log stores only, after the sync has returned; there is no
  /// other way to a ``DurableWrite``, so this is the one name to look for in review.
  public consuming func assumeDurable() -> DurableWrite {
    let durable = DurableWrite(replica: replica, sequence: sequence)
    discard self
    return durable
  }

  /// Gives the write up because the replica ends here: on shutdown, or when the store has failed.
  public consuming func abandon() { discard self }

  deinit { tokenDropped("PendingWrite") }
}

/// Proof that a ``PendingWrite``, and every one taken before it, is durable.
public struct DurableWrite: ~Copyable, Sendable {
  let replica: ReplicaToken
  let sequence: UInt64

  /// Gives the proof up because the replica ends here.
  public consuming func abandon() { discard self }

  consuming func redeem(for replica: ReplicaToken) -> UInt64 {
    precondition(
      self.replica == replica, "a write's proof is redeemed in the replica that the write came from")
    let redeemed = sequence
    discard self
    return redeemed
  }

  deinit { tokenDropped("DurableWrite") }
}

/// Tells the tokens of one replica, in one life, from those of another.
struct ReplicaToken: Hashable, BitwiseCopyable, Sendable {
  let id: NodeID
  let life: UInt64
}

/// A never-returning call in a `deinit` draws a warning, so the trap hides behind a function that seems to return.
@inline(never)
private func tokenDropped(_ what: StaticString) {
  preconditionFailure("\(what) was dropped before it was redeemed: the durability that it stands for is lost")
}
