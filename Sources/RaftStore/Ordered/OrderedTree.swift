import Glibc
import RaftCore

/// A B-tree with bytes as keys, with value semantics: copies share their nodes, and a change copies only the path from
/// the root to where it takes place. So a snapshot of a million pairs is one pointer, and costs no pause.
struct OrderedTree<Value: Sendable>: Sendable {
  /// The most pairs in a node; a node other than the root has at least half as many.
  static var pairsMax: Int { 32 }
  private static var pairsMin: Int { pairsMax / 2 }

  /// `@unchecked Sendable`: a node is changed only while exactly one tree refers to it, which is checked before.
  final class Node: @unchecked Sendable {
    var keys: [Bytes]
    var values: [Value]
    /// Empty in a leaf; otherwise one more than keys.
    var children: [Node]

    init(keys: [Bytes] = [], values: [Value] = [], children: [Node] = []) {
      self.keys = keys
      self.values = values
      self.children = children
    }

    var isLeaf: Bool { children.isEmpty }

    func copy() -> Node { Node(keys: keys, values: values, children: children) }

    func replaceValue(at position: Int, by value: Value) -> Value {
      let former = values[position]
      values[position] = value
      return former
    }

    /// The first position whose key is not less than `key`, and whether it is equal.
    func position(of key: Bytes) -> (position: Int, isFound: Bool) {
      var low = 0
      var high = keys.count
      while low < high {
        let middle = (low + high) / 2
        switch compare(keys[middle], key) {
        case 0: return (middle, true)
        case ..<0: low = middle + 1
        default: high = middle
        }
      }
      return (low, false)
    }
  }

  private(set) var root = Node()
  private(set) var count = 0

  subscript(key: Bytes) -> Value? {
    var node = root
    while true {
      let (position, isFound) = node.position(of: key)
      if isFound { return node.values[position] }
      guard !node.isLeaf else { return nil }
      node = node.children[position]
    }
  }

  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Value) -> Bool) {
    _ = Self.scan(root, from: lower, to: upper, visit)
  }

  private static func scan(
    _ node: Node, from lower: Bytes?, to upper: Bytes?, _ visit: (Bytes, Value) -> Bool
  ) -> Bool {
    var (position, isFound) = lower.map { node.position(of: $0) } ?? (0, false)
    // Left of the first key that counts there may be pairs that count, unless that key is the bound itself.
    var bound = isFound ? nil : lower
    var skipsChild = isFound
    while true {
      if !node.isLeaf, !skipsChild {
        guard scan(node.children[position], from: bound, to: upper, visit) else { return false }
      }
      (bound, skipsChild) = (nil, false)
      guard position < node.keys.count else { return true }
      if let upper, compare(node.keys[position], upper) >= 0 { return false }
      guard visit(node.keys[position], node.values[position]) else { return false }
      position += 1
    }
  }

  // MARK: - Changing

  /// Sets the value of a key. Returns what it was before; nil if it is new.
  @discardableResult
  mutating func insert(_ value: Value, for key: Bytes) -> Value? {
    makeUnique(&root)
    if root.keys.count == Self.pairsMax {
      root = Node(children: [root])
      Self.splitChild(at: 0, of: root)
    }
    var node = root
    while true {
      var (position, isFound) = node.position(of: key)
      if isFound { return node.replaceValue(at: position, by: value) }
      guard !node.isLeaf else {
        node.keys.insert(key, at: position)
        node.values.insert(value, at: position)
        count += 1
        return nil
      }
      makeUnique(&node.children[position])
      if node.children[position].keys.count == Self.pairsMax {
        Self.splitChild(at: position, of: node)
        let order = compare(node.keys[position], key)
        if order == 0 { return node.replaceValue(at: position, by: value) }
        if order < 0 { position += 1 }
      }
      node = node.children[position]
    }
  }

  /// Splits a full child, which nobody else refers to, into two around its middle pair.
  private static func splitChild(at position: Int, of parent: Node) {
    let child = parent.children[position]
    let middle = pairsMax / 2
    let right = Node(
      keys: Array(child.keys[(middle + 1)...]), values: Array(child.values[(middle + 1)...]),
      children: child.isLeaf ? [] : Array(child.children[(middle + 1)...]))
    parent.keys.insert(child.keys[middle], at: position)
    parent.values.insert(child.values[middle], at: position)
    parent.children.insert(right, at: position + 1)
    child.keys.removeLast(child.keys.count - middle)
    child.values.removeLast(child.values.count - middle)
    if !child.isLeaf { child.children.removeLast(child.children.count - middle - 1) }
  }

  @discardableResult
  mutating func remove(_ key: Bytes) -> Bool {
    makeUnique(&root)
    guard Self.remove(key, from: root) else { return false }
    if root.keys.isEmpty, !root.isLeaf { root = root.children[0] }
    count -= 1
    return true
  }

  /// Removes a key below `node`, which nobody else refers to, and mends children that became too small.
  private static func remove(_ key: Bytes, from node: Node) -> Bool {
    let (position, isFound) = node.position(of: key)
    if node.isLeaf {
      guard isFound else { return false }
      node.keys.remove(at: position)
      node.values.remove(at: position)
      return true
    }
    makeUnique(&node.children[position])
    if isFound {
      (node.keys[position], node.values[position]) = removeLast(from: node.children[position])
    } else {
      guard remove(key, from: node.children[position]) else { return false }
    }
    mendChild(at: position, of: node)
    return true
  }

  /// Removes the last pair below `node`.
  private static func removeLast(from node: Node) -> (Bytes, Value) {
    guard !node.isLeaf else { return (node.keys.removeLast(), node.values.removeLast()) }
    let position = node.children.count - 1
    makeUnique(&node.children[position])
    let pair = removeLast(from: node.children[position])
    mendChild(at: position, of: node)
    return pair
  }

  /// Brings a child that has too few pairs up to the minimum: from a neighbour that can spare one, or by merging.
  private static func mendChild(at position: Int, of parent: Node) {
    guard parent.children[position].keys.count < pairsMin else { return }
    if position > 0, parent.children[position - 1].keys.count > pairsMin {
      moveFromLeft(to: position, of: parent)
    } else if position + 1 < parent.children.count, parent.children[position + 1].keys.count > pairsMin {
      moveFromRight(to: position, of: parent)
    } else {
      merge(at: position > 0 ? position - 1 : position, of: parent)
    }
  }

  private static func moveFromLeft(to position: Int, of parent: Node) {
    makeUnique(&parent.children[position - 1])
    let (left, child) = (parent.children[position - 1], parent.children[position])
    child.keys.insert(parent.keys[position - 1], at: 0)
    child.values.insert(parent.values[position - 1], at: 0)
    parent.keys[position - 1] = left.keys.removeLast()
    parent.values[position - 1] = left.values.removeLast()
    if !left.isLeaf { child.children.insert(left.children.removeLast(), at: 0) }
  }

  private static func moveFromRight(to position: Int, of parent: Node) {
    makeUnique(&parent.children[position + 1])
    let (child, right) = (parent.children[position], parent.children[position + 1])
    child.keys.append(parent.keys[position])
    child.values.append(parent.values[position])
    parent.keys[position] = right.keys.removeFirst()
    parent.values[position] = right.values.removeFirst()
    if !right.isLeaf { child.children.append(right.children.removeFirst()) }
  }

  /// Merges the children at `position` and behind it, with the pair between them.
  private static func merge(at position: Int, of parent: Node) {
    makeUnique(&parent.children[position])
    let left = parent.children[position]
    let right = parent.children.remove(at: position + 1)
    left.keys.append(parent.keys.remove(at: position))
    left.values.append(parent.values.remove(at: position))
    left.keys += right.keys
    left.values += right.values
    left.children += right.children
  }
}

/// Replaces a node that another tree refers to as well by a copy.
private func makeUnique<Value>(_ node: inout OrderedTree<Value>.Node) {
  if !isKnownUniquelyReferenced(&node) { node = node.copy() }
}

/// Compares as unsigned bytes, a prefix before what it begins: negative, 0 or positive.
func compare(_ left: Bytes, _ right: Bytes) -> Int {
  let order = left.withUnsafeBytes { left in
    right.withUnsafeBytes { right in
      guard let first = left.baseAddress, let second = right.baseAddress else { return 0 }
      return Int(memcmp(first, second, min(left.count, right.count)))
    }
  }
  return order == 0 ? left.count - right.count : order
}
