/// A queue that stops allocating once it has grown to what is in it at a time.
struct Ring<Element: Sendable>: Sendable {
  private var slots: [Element?] = []
  private var start = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var first: Element? { count == 0 ? nil : slots[start] }

  /// The element `offset` places behind the first; `offset` is in `0..<count`.
  subscript(offset: Int) -> Element {
    get {
      guard offset < count, let element = slots[(start + offset) & (slots.count - 1)] else {
        preconditionFailure("a ring is read within its bounds")
      }
      return element
    }
    set { slots[(start + offset) & (slots.count - 1)] = newValue }
  }

  mutating func append(_ element: Element) {
    if count == slots.count { grow() }
    slots[(start + count) & (slots.count - 1)] = element
    count += 1
  }

  @discardableResult
  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = slots[start]
    slots[start] = nil
    start = (start + 1) & (slots.count - 1)
    count -= 1
    return element
  }

  /// Removes the element `offset` places behind the first.
  mutating func remove(at offset: Int) -> Element {
    let element = self[offset]
    for position in offset..<(count - 1) { self[position] = self[position + 1] }
    slots[(start + count - 1) & (slots.count - 1)] = nil
    count -= 1
    return element
  }

  mutating func removeAll(where isUnwanted: (Element) -> Bool) {
    for _ in 0..<count {
      guard let element = popFirst() else { return }
      if !isUnwanted(element) { append(element) }
    }
  }

  mutating func removeAll() {
    while popFirst() != nil {}
    start = 0
  }

  private mutating func grow() {
    var larger = [Element?](repeating: nil, count: max(16, slots.count * 2))
    for offset in 0..<count { larger[offset] = slots[(start + offset) & (slots.count - 1)] }
    slots = larger
    start = 0
  }
}
