import RaftCore

/// Lets pieces of snapshots go no faster than a limit, so that they leave room for everything else on the way.
///
/// The pieces to all peers together keep to it. A piece goes as soon as those before it are paid for; what was not used is
/// made up for, up to a tenth of a second, or the coarse grain of the ticks would cost a part of what is allowed.
struct SnapshotPacing: Sendable {
  /// The limit; nil for none.
  private let bytesPerSecond: UInt64?
  private let tickMilliseconds: UInt64
  /// Pieces that wait, in order; those for one peer follow one another.
  private(set) var waiting: [Message] = []
  /// Who got the piece that went last: peers take turns.
  private var servedLast: NodeID?
  /// When the pieces that went are paid for, in microseconds.
  private var paidAt: UInt64 = 0

  private static let slackMicroseconds: UInt64 = 100_000

  init(bytesPerSecond: UInt64?, tickMilliseconds: Int) {
    self.bytesPerSecond = bytesPerSecond
    self.tickMilliseconds = UInt64(max(1, tickMilliseconds))
  }

  /// Takes a piece that is to go to a peer. If it goes back in what the peer gets, what waits behind it there comes again:
  /// nothing waits twice, and nothing of another snapshot.
  mutating func add(_ piece: Message) {
    waiting.removeAll { $0.to == piece.to && !Self.continues($0, with: piece) }
    waiting.append(piece)
  }

  private static func continues(_ former: Message, with piece: Message) -> Bool {
    guard case .installSnapshot(let before) = former.body, case .installSnapshot(let next) = piece.body else {
      return false
    }
    return before.fingerprint == next.fingerprint && before.offset < next.offset
  }

  /// The next piece that may go now; nil if there is none.
  mutating func next(at now: Ticks) -> Message? {
    guard let position = nextInTurn else { return nil }
    let piece = waiting[position]
    guard let bytesPerSecond, case .installSnapshot(let content) = piece.body else { return take(position) }
    let microseconds = now.rawValue * tickMilliseconds * 1_000
    guard paidAt <= microseconds else { return nil }
    let idleSince = microseconds - min(microseconds, Self.slackMicroseconds)
    paidAt = max(paidAt, idleSince) + UInt64(content.count) * 1_000_000 / bytesPerSecond
    return take(position)
  }

  /// The first piece for the peer whose turn it is.
  ///
  /// Counter-example to the order in which pieces were added: one peer has a whole window waiting, so that the other one's
  /// pieces are added again before it is their turn, behind the next window, and so on.
  private var nextInTurn: Int? {
    let peers = waiting.map(\.to)
    let others = peers.filter { peer in servedLast.map { peer > $0 } ?? true }
    guard let peer = others.min() ?? peers.min() else { return nil }
    return waiting.firstIndex { $0.to == peer }
  }

  private mutating func take(_ position: Int) -> Message {
    servedLast = waiting[position].to
    return waiting.remove(at: position)
  }
}
