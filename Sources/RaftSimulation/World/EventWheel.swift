/// What is to happen, by tick, and within a tick in the order in which it was scheduled. Scheduling and taking out cost
/// the same however much is waiting.
struct EventWheel<Event> {
  private var slots: [[Event]]
  /// Events further ahead than the wheel reaches, unsorted; looked through once a turn.
  private var distant: [(tick: UInt64, event: Event)] = []
  private var now: UInt64 = 0
  private let size: UInt64

  init(size: Int = 1024) {
    self.size = UInt64(size)
    slots = Array(repeating: [], count: size)
  }

  /// Schedules an event for a tick that has not begun yet.
  mutating func schedule(_ event: Event, at tick: UInt64) {
    let tick = max(tick, now + 1)
    if tick < now + size {
      slots[Int(tick % size)].append(event)
    } else {
      distant.append((tick, event))
    }
  }

  /// Goes on by one tick, and gives what is due then.
  mutating func advance() -> [Event] {
    now += 1
    if now % size == 0 { bringNear() }
    let position = Int(now % size)
    guard !slots[position].isEmpty else { return [] }
    let due = slots[position]
    slots[position] = []
    return due
  }

  private mutating func bringNear() {
    let waiting = distant
    distant = []
    for (tick, event) in waiting {
      if tick < now + size { slots[Int(tick % size)].append(event) } else { distant.append((tick, event)) }
    }
  }
}
