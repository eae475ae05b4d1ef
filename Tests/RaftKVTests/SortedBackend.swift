import RaftCore
import RaftServer

@testable import RaftKV

/// The plainest backend: keys and values in one sorted array.
struct SortedBackend: OrderedBackend, Equatable {
  private(set) var keys: [Bytes] = []
  private var values: [Bytes] = []

  func get(_ key: Bytes) -> Bytes? {
    let position = position(of: key)
    return position < keys.count && keys[position] == key ? values[position] : nil
  }

  mutating func put(_ value: Bytes, for key: Bytes) {
    let position = position(of: key)
    if position < keys.count, keys[position] == key {
      values[position] = value
    } else {
      keys.insert(key, at: position)
      values.insert(value, at: position)
    }
  }

  mutating func delete(_ key: Bytes) {
    let position = position(of: key)
    guard position < keys.count, keys[position] == key else { return }
    keys.remove(at: position)
    values.remove(at: position)
  }

  var count: Int { keys.count }

  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    for position in position(of: lower)..<(upper.map { self.position(of: $0) } ?? keys.count) {
      guard visit(keys[position], values[position]) else { return }
    }
  }

  private func position(of key: Bytes) -> Int {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle].lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

typealias TestMachine = KeyValueMachine<SortedBackend>
