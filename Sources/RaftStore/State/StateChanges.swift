import RaftCore

/// Changes of a state that its device does not hold yet; nil stands for a key that was removed.
///
/// A key is found by its hash: nearly all that is done with a state is to look a key up, and to set it. Their order is made
/// up for when somebody asks for it.
struct StateChanges: Sendable {
  /// Keys and what has become of them, in the order of their first change.
  private var pairs: [(key: Bytes, value: Bytes?)] = []
  /// Where in ``pairs`` a key stands. Nobody goes through it: its own order is another one in every process.
  private var places: [HashedKey: Int] = [:]
  /// The places of the first ``orderedCount`` pairs, by key.
  private var order = OrderedTree<Int>()
  private var orderedCount = 0
  /// About how much memory they take.
  private(set) var bytes = 0

  /// What a pair takes besides its bytes: two arrays, and its places.
  private static let pairBytes = 144

  /// A key that is hashed, and compared, as a whole and not byte by byte.
  private struct HashedKey: Hashable, Sendable {
    let bytes: Bytes

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    static func == (one: Self, other: Self) -> Bool { compare(one.bytes, other.bytes) == 0 }
  }

  var isEmpty: Bool { pairs.isEmpty }

  /// Notes a change, in the place of an earlier one of the same key.
  ///
  /// - Returns: That one; nil if there was none, and nil inside if it had removed the key.
  @discardableResult
  mutating func set(_ value: Bytes?, for key: Bytes) -> Bytes?? {
    if let place = places[HashedKey(bytes: key)] {
      let former = pairs[place].value
      bytes += (value?.count ?? 0) - (former?.count ?? 0)
      pairs[place].value = value
      return .some(former)
    }
    bytes += key.count + (value?.count ?? 0) + Self.pairBytes
    places[HashedKey(bytes: key)] = pairs.count
    pairs.append((key, value))
    return nil
  }

  /// What has become of `key`: nil if nothing has, and nil inside if it was removed.
  subscript(key: Bytes) -> Bytes?? {
    guard !pairs.isEmpty, let place = places[HashedKey(bytes: key)] else { return nil }
    return .some(pairs[place].value)
  }

  /// All of them, to be made at once.
  var batch: WriteBatch {
    var batch = WriteBatch()
    for (key, value) in pairs {
      if let value { batch.put(value, for: key) } else { batch.delete(key) }
    }
    return batch
  }

  /// Brings the order up to date, before ``scan(from:to:_:)``.
  mutating func arrange() {
    while orderedCount < pairs.count {
      order.insert(orderedCount, for: pairs[orderedCount].key)
      orderedCount += 1
    }
  }

  /// Visits the changes of keys with `lower <= key < upper` in ascending order, until `visit` returns false; to be called
  /// when they are arranged.
  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes?) -> Bool) {
    precondition(orderedCount == pairs.count, "changes are arranged before they are gone through")
    order.scan(from: lower, to: upper) { key, place in visit(key, pairs[place].value) }
  }
}

/// Visits what several layers of changes, and the device below them, hold together.
struct LayeredScan {
  /// Goes through one layer, some changes at a time, so that a scan that ends early costs little.
  private struct Cursor {
    private let all: StateChanges
    private let upper: Bytes?
    private var from: Bytes
    private var isOver = false
    private var changes: [(key: Bytes, value: Bytes?)] = []
    private var position = 0
    private var portion = 8

    init(_ changes: StateChanges, from lower: Bytes, to upper: Bytes?) {
      all = changes
      self.upper = upper
      from = lower
      fill()
    }

    var current: (key: Bytes, value: Bytes?)? { position < changes.count ? changes[position] : nil }

    mutating func advance() {
      position += 1
      if position == changes.count, !isOver { fill() }
    }

    private mutating func fill() {
      // Nothing sorts between a key and the same key with a byte 0 at its end.
      if let last = changes.last { from = last.key + [0] }
      changes.removeAll(keepingCapacity: true)
      position = 0
      let wanted = portion
      portion = min(2 * portion, 1_024)
      all.scan(from: from, to: upper) { key, value in
        changes.append((key, value))
        return changes.count < wanted
      }
      isOver = changes.count < wanted
    }
  }

  /// The newest one first.
  private var cursors: [Cursor]
  private var isGoingOn = true

  /// What is below the changes.
  enum Base {
    case device(any StateDevice)
    case view(any OrderedView)

    func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) throws(StoreError) {
      switch self {
      case .device(let device): try device.scan(from: lower, to: upper, visit)
      case .view(let view): try view.scan(from: lower, to: upper, visit)
      }
    }
  }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false; `layers` are given the
  /// newest one first, and are arranged.
  static func run(
    _ layers: [StateChanges], over base: Base, from lower: Bytes, to upper: Bytes?,
    _ visit: (Bytes, Bytes) -> Bool
  ) throws(StoreError) {
    let changed = layers.filter { !$0.isEmpty }
    guard !changed.isEmpty else { return try base.scan(from: lower, to: upper, visit) }
    var scan = LayeredScan(cursors: changed.map { Cursor($0, from: lower, to: upper) })
    try base.scan(from: lower, to: upper) { key, value in
      scan.visitChanges(before: key, visit)
      guard scan.isGoingOn else { return false }
      if !scan.skip(key, visit) { scan.isGoingOn = visit(key, value) }
      return scan.isGoingOn
    }
    scan.visitChanges(before: nil, visit)
  }

  private init(cursors: [Cursor]) { self.cursors = cursors }

  /// The first change of all layers; of those of the same key the newest.
  private var next: (key: Bytes, value: Bytes?)? {
    var first: (key: Bytes, value: Bytes?)?
    for cursor in cursors {
      guard let change = cursor.current else { continue }
      if let key = first?.key, !change.key.lexicographicallyPrecedes(key) { continue }
      first = change
    }
    return first
  }

  private mutating func pass(_ key: Bytes) {
    for position in cursors.indices where cursors[position].current?.key == key {
      cursors[position].advance()
    }
  }

  /// Visits what has changed before `key`, or all the rest.
  private mutating func visitChanges(before key: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    while isGoingOn, let change = next {
      if let key, !change.key.lexicographicallyPrecedes(key) { return }
      pass(change.key)
      if let value = change.value { isGoingOn = visit(change.key, value) }
    }
  }

  /// Whether a key of the device has changed. The change is visited in its place.
  private mutating func skip(_ key: Bytes, _ visit: (Bytes, Bytes) -> Bool) -> Bool {
    guard let change = next, change.key == key else { return false }
    pass(key)
    if let value = change.value { isGoingOn = visit(key, value) }
    return true
  }
}
