import RaftCore

/// The numbers of the packets on their way to one node: in order by link, and strays, which may arrive at any time.
struct Inbox: Hashable {
  private struct Link: Hashable {
    var from: NodeID
    var packets: [UInt32]
  }

  /// What is on its way in order, by sender.
  private var links: [Link] = []
  /// Doubles and delayed packets; sorted.
  private var strays: [UInt32] = []

  mutating func append(_ packet: UInt32, from sender: NodeID) {
    let place = links.firstIndex { $0.from >= sender } ?? links.count
    if place == links.count || links[place].from != sender {
      links.insert(Link(from: sender, packets: []), at: place)
    }
    links[place].packets.append(packet)
  }

  mutating func addStray(_ packet: UInt32) {
    strays.insert(packet, at: strays.firstIndex { $0 >= packet } ?? strays.count)
  }

  func without(_ isUnwanted: (UInt32) -> Bool) -> Inbox {
    var rest = Inbox()
    for link in links {
      let packets = link.packets.filter { !isUnwanted($0) }
      if !packets.isEmpty { rest.links.append(Link(from: link.from, packets: packets)) }
    }
    rest.strays = strays.filter { !isUnwanted($0) }
    return rest
  }

  /// Each packet that can arrive next, and what is left then: what was in front of it on its link is lost.
  var deliveries: [(packet: UInt32, rest: Inbox)] {
    var found: [(packet: UInt32, rest: Inbox)] = []
    for (place, link) in links.enumerated() {
      for (position, packet) in link.packets.enumerated() {
        var rest = self
        rest.links[place].packets.removeFirst(position + 1)
        if rest.links[place].packets.isEmpty { rest.links.remove(at: place) }
        found.append((packet, rest))
      }
    }
    for (position, packet) in strays.enumerated() where position == 0 || strays[position - 1] != packet {
      var rest = self
      rest.strays.remove(at: position)
      found.append((packet, rest))
    }
    return found
  }

  /// Each packet that a later one can overtake, and what is left when it has gone astray.
  var delays: [(packet: UInt32, rest: Inbox)] {
    var found: [(packet: UInt32, rest: Inbox)] = []
    for (place, link) in links.enumerated() {
      for (position, packet) in link.packets.enumerated().dropLast() {
        var rest = self
        rest.links[place].packets.remove(at: position)
        rest.addStray(packet)
        found.append((packet, rest))
      }
    }
    return found
  }
}
