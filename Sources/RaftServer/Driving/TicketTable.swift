/// Something for each of the tickets that are in use, by ticket; tickets ascend.
struct TicketTable<Element> {
  private var slots: [(ticket: UInt64, element: Element?)] = []
  private var head = 0

  /// Whether no ticket is in use.
  var isEmpty: Bool { slots.isEmpty }

  /// Adds an element under a ticket that is higher than all before it.
  mutating func add(_ element: Element, under ticket: UInt64) { slots.append((ticket, element)) }

  /// Takes the element of a ticket away.
  ///
  /// - Complexity: O(log n).
  mutating func remove(_ ticket: UInt64) -> Element? {
    var low = head
    var high = slots.count
    while low < high {
      let middle = (low + high) / 2
      if slots[middle].ticket < ticket { low = middle + 1 } else { high = middle }
    }
    guard low < slots.count, slots[low].ticket == ticket else { return nil }
    let element = slots[low].element
    slots[low].element = nil
    trim()
    return element
  }

  /// Takes all elements away, in the order of their tickets.
  mutating func removeAll() -> [Element] {
    defer { self = TicketTable() }
    return slots.compactMap(\.element)
  }

  private mutating func trim() {
    while head < slots.count, slots[head].element == nil { head += 1 }
    if head == slots.count {
      slots.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 1024, head > slots.count / 2 {
      slots.removeFirst(head)
      head = 0
    }
  }
}

extension TicketTable: Sendable where Element: Sendable {}
