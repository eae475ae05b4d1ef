import RaftCore
import Testing

@testable import RaftStore

@Suite("The ordered copy-on-write tree")
struct OrderedTreeTests {
  /// A sorted array that does the same, obviously.
  private struct Model {
    var pairs: [(key: Bytes, value: Bytes)] = []

    mutating func insert(_ value: Bytes, for key: Bytes) {
      remove(key)
      let place = pairs.firstIndex { key.lexicographicallyPrecedes($0.key) } ?? pairs.count
      pairs.insert((key, value), at: place)
    }

    mutating func remove(_ key: Bytes) { pairs.removeAll { $0.key == key } }

    func scan(_ lower: Bytes, _ upper: Bytes?) -> [Bytes] {
      pairs.map(\.key).filter { key in
        !key.lexicographicallyPrecedes(lower) && upper.map { key.lexicographicallyPrecedes($0) } ?? true
      }
    }
  }

  private func keys(of tree: OrderedTree<Bytes>, from lower: Bytes = [], to upper: Bytes? = nil) -> [Bytes] {
    var keys: [Bytes] = []
    tree.scan(from: lower, to: upper) { key, _ in
      keys.append(key)
      return true
    }
    return keys
  }

  private func randomKey(_ random: inout RandomSource) -> Bytes {
    (0..<Int.random(in: 0...3, using: &random)).map { _ in UInt8.random(in: 0...12, using: &random) &* 21 }
  }

  @Test("it agrees with a sorted array over thousands of random changes", arguments: 1...6)
  func agreesWithModel(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var tree = OrderedTree<Bytes>()
    var model = Model()
    for step in 0..<4_000 {
      let key = randomKey(&random)
      // Growing first, shrinking later, so that splits and merges of all kinds happen.
      if Int.random(in: 0..<4_000, using: &random) > step {
        let value: Bytes = [UInt8.random(in: 0...255, using: &random)]
        tree.insert(value, for: key)
        model.insert(value, for: key)
      } else {
        let wasThere = model.pairs.contains { $0.key == key }
        #expect(tree.remove(key) == wasThere)
        model.remove(key)
      }
      #expect(tree.count == model.pairs.count)
      if step % 97 == 0 {
        let (lower, upper) = (randomKey(&random), randomKey(&random))
        #expect(keys(of: tree, from: lower, to: upper) == model.scan(lower, upper))
        #expect(keys(of: tree) == model.pairs.map(\.key))
      }
    }
    for (key, value) in model.pairs { #expect(tree[key] == value) }
  }

  @Test("a copy keeps what it had, whatever happens to the original")
  func copiesAreIsolated() {
    var tree = OrderedTree<Bytes>()
    for number in 0..<2_000 { tree.insert([1], for: Array("\(number)".utf8)) }
    let copy = tree
    let before = keys(of: copy)
    for number in stride(from: 0, to: 2_000, by: 2) { tree.remove(Array("\(number)".utf8)) }
    for number in 5_000..<6_000 { tree.insert([2], for: Array("\(number)".utf8)) }
    #expect(keys(of: copy) == before)
    #expect(copy.count == 2_000)
    #expect(tree.count == 2_000)
  }

  @Test("a change after a copy copies one path, not the tree")
  func changeCopiesOnePath() {
    var tree = OrderedTree<Bytes>()
    for number in 0..<50_000 { tree.insert([], for: Array("key\(number)".utf8)) }
    let copy = tree
    tree.insert([1], for: Array("key777".utf8))
    let shared = Set(nodes(below: copy.root)).intersection(nodes(below: tree.root)).count
    #expect(nodes(below: copy.root).count - shared <= 5)
  }

  private func nodes(below node: OrderedTree<Bytes>.Node) -> [ObjectIdentifier] {
    [ObjectIdentifier(node)] + node.children.flatMap { nodes(below: $0) }
  }

  @Test("a scan stops when its visitor has seen enough")
  func scanStops() {
    var tree = OrderedTree<Bytes>()
    for number in UInt8.min...UInt8.max { tree.insert([number], for: [number]) }
    var seen: [Bytes] = []
    tree.scan(from: [10], to: nil) { key, _ in
      seen.append(key)
      return seen.count < 3
    }
    #expect(seen == [[10], [11], [12]])
  }
}

@Suite("The memory backend")
struct MemoryBackendTests {
  @Test("a batch makes its changes in order, and a checkpoint keeps what was")
  func batches() {
    var backend = MemoryBackend()
    var batch = WriteBatch()
    for key in UInt8(0)..<10 { batch.put([key], for: [key]) }
    batch.deleteRange(from: [3], to: [6])
    batch.put([99], for: [4])
    batch.delete([0])
    backend.apply(batch)
    let checkpoint = backend.checkpoint()
    backend.put([1], for: [3])
    #expect(checkpoint.get([3]) == nil)
    #expect(backend.get([3]) == [1])
    #expect(backend.get([4]) == [99])
    #expect(backend.get([0]) == nil)
    #expect(checkpoint.count == 7)
    #expect(backend.count == 8)
  }
}
