import RaftCore
import RaftStore
import Testing

@testable import enum RaftStore.StoredKey
@testable import enum RaftStore.StoredRecord

@Suite("The durable store: what is damaged is refused by name, and never taken for less (scenario 63)")
struct DamageTests {
  /// What a device is like on which every kind of record stands, and several of those of which there can be several.
  private let sound: FaultyDevice

  init() throws {
    sound = FaultyDevice()
    var node = try WritingNode(sound.store())
    try node.perform(
      .found, .append(3, after: entryID(1, 1), term: 2, commit: 4), .configure(after: entryID(2, 4), term: 2),
      .append(3, after: entryID(2, 5), term: 2, commit: 8), .vote(term: 3, for: 3),
      .receive(last: entryID(2, 20), count: 30, pieces: [10, 12, 8], term: 3),
      .append(2, after: entryID(2, 20), term: 3), .configure(after: entryID(3, 22), term: 3),
      .append(1, after: entryID(3, 23), term: 3, commit: 22), .retain([]))
  }

  private enum Volume {
    case consensus
    case data
  }

  /// A record, with what an error about it has to say.
  private struct Place {
    let volume: Volume
    let key: Bytes
    let record: Bytes
    let name: String
  }

  private var places: [Place] {
    let consensus = sound.consensus.pairs.map { key, record in
      let name =
        switch key {
        case StoredKey.base: "the record of the log's beginning"
        case StoredKey.state: "the record of term and vote"
        default: "entry \(StoredKey.index(of: key).map { "\($0)" } ?? "?")"
        }
      return Place(volume: .consensus, key: key, record: record, name: name)
    }
    return consensus
      + sound.data.pairs.map { Place(volume: .data, key: $0.key, record: $0.value, name: "snapshot") }
  }

  /// What recovery says of a device that was changed so; it must refuse it, and leave it as it is.
  private func refusal(
    _ comment: String, _ change: (inout MemoryBackend, inout MemoryBackend) -> Void
  ) throws -> String {
    var (consensus, data) = (sound.consensus, sound.data)
    change(&consensus, &data)
    let device = FaultyDevice(consensus, data)
    var store = device.store()
    var reason = ""
    do throws(StoreError) {
      let recovered = try store.recover()
      Issue.record("\(comment): it was taken for a log of \(recovered?.entries.count ?? -1) entries")
    } catch {
      guard case .corrupt(let text) = error else { throw error }
      reason = text
    }
    #expect(device.operations == 0, "\(comment): what is damaged is not to be changed")
    return reason
  }

  private func refusal(
    _ comment: String, at place: Place, _ change: (inout MemoryBackend) -> Void
  ) throws -> String {
    try refusal(comment) { consensus, data in
      switch place.volume {
      case .consensus: change(&consensus)
      case .data: change(&data)
      }
    }
  }

  @Test("what the tests damage is sound")
  func soundness() throws {
    let state = try #require(try WritingNode(sound.restarted().store()).node)
    #expect(state.lastEntry == entryID(3, 24))
    #expect(places.filter { $0.volume == .data }.count == 3)
    #expect(places.count == 2 + 4 + 3)
  }

  @Test("each bit of each record")
  func flippedBits() throws {
    for place in places {
      for bit in 0..<(8 * place.record.count) {
        var record = place.record
        record[bit / 8] ^= 1 << UInt8(bit % 8)
        let reason = try refusal("bit \(bit) of \(place.name)", at: place) { $0.put(record, for: place.key) }
        #expect(reason.contains(place.name))
      }
    }
  }

  @Test("each bit of each key")
  func flippedKeys() throws {
    for place in places {
      for bit in 0..<(8 * place.key.count) {
        var key = place.key
        key[bit / 8] ^= 1 << UInt8(bit % 8)
        _ = try refusal("bit \(bit) of the key of \(place.name)", at: place) {
          $0.delete(place.key)
          $0.put(place.record, for: key)
        }
      }
    }
  }

  @Test("a record that is shorter or longer")
  func lengths() throws {
    for place in places {
      for count in 0..<place.record.count {
        let reason = try refusal("\(count) bytes of \(place.name)", at: place) {
          $0.put(Bytes(place.record[..<count]), for: place.key)
        }
        #expect(reason.contains(place.name))
      }
      let reason = try refusal("a byte more in \(place.name)", at: place) {
        $0.put(place.record + [0], for: place.key)
      }
      #expect(reason.contains(place.name))
    }
  }

  @Test("runs of bytes that are written over")
  func overwrittenRuns() throws {
    var random = RandomSource(seed: 63)
    for place in places {
      for _ in 0..<100 {
        var record = place.record
        let start = Int.random(in: 0..<record.count, using: &random)
        let end = Int.random(in: (start + 1)...record.count, using: &random)
        let fill: UInt8? = Bool.random(using: &random) ? 0 : nil
        for offset in start..<end { record[offset] = fill ?? UInt8.random(in: 0...255, using: &random) }
        guard record != place.record else { continue }
        let reason = try refusal("bytes \(start)..<\(end) of \(place.name)", at: place) {
          $0.put(record, for: place.key)
        }
        #expect(reason.contains(place.name))
      }
    }
  }

  @Test("a missing record: the first, the last and any in between")
  func missingRecords() throws {
    for place in places {
      let reason = try refusal("without \(place.name)", at: place) { $0.delete(place.key) }
      // A missing end is known from where the log was to end.
      let named = StoredKey.index(of: place.key) == LogIndex(24) ? "written through entry 24" : place.name
      #expect(reason.contains(named))
    }
  }

  @Test("a missing end, however long")
  func missingEnd() throws {
    for first in 21...24 as ClosedRange<UInt64> {
      let reason = try refusal("without entries from \(first)") { consensus, _ in
        for index in first...24 { consensus.delete(StoredKey.entry(LogIndex(index))) }
      }
      #expect(reason == "the log ends at entry \(first - 1), and was written through entry 24")
    }
  }

  @Test("two records that changed places, and one that stands in another's place")
  func movedRecords() throws {
    for place in places {
      for other in places where other.volume == place.volume && other.key != place.key {
        let reason = try refusal("\(place.name) and \(other.name) exchanged", at: place) {
          $0.put(other.record, for: place.key)
          $0.put(place.record, for: other.key)
        }
        #expect(reason.contains(place.name) || reason.contains(other.name))
        let copied = try refusal("\(other.name) in the place of \(place.name)", at: place) {
          $0.put(other.record, for: place.key)
        }
        #expect(copied.contains(place.name))
      }
    }
  }

  @Test("a record that belongs to the place, and says that it belongs to another")
  func wrongEntry() throws {
    let key = StoredKey.entry(LogIndex(22))
    let entry = Entry<Bytes>(id: entryID(3, 21), content: .empty, bytes: 0)
    let reason = try refusal("entry 21 under the key of 22") { consensus, _ in
      consensus.put(StoredRecord.write(key) { entry.encode(into: &$0) }, for: key)
    }
    #expect(reason.contains("entry 22"))
  }

  @Test("a record of a newer format, however sound")
  func newerFormat() throws {
    for place in places {
      var record = place.record
      record[0] = StoredRecord.version + 1
      let sum = Checksum.crc32c(
        record, in: 5..<record.count,
        seed: Checksum.crc32c(record, in: 0..<1, seed: Checksum.crc32c(place.key)))
      var writer = ByteWriter()
      writer.writeRaw(record)
      writer.overwrite(sum, at: 1)
      let reason = try refusal("format 2 of \(place.name)", at: place) {
        $0.put(writer.bytes, for: place.key)
      }
      #expect(reason.contains(place.name) && reason.contains("is of format 2"))
    }
  }

  @Test("one of the two stores that is empty")
  func missingStore() throws {
    let reason = try refusal("without data") { _, data in data = MemoryBackend() }
    #expect(reason.contains("snapshot"))
    _ = try refusal("without the consensus store") { consensus, _ in consensus = MemoryBackend() }
  }

  @Test("damage that comes while the node runs is found by whoever reads")
  func damageWhileRunning() throws {
    for place in places {
      var consensus = sound.consensus
      var data = sound.data
      let device = FaultyDevice(consensus, data)
      var store = device.store()
      let snapshot = try #require(try store.recover()?.snapshot)
      var record = place.record
      record[record.count - 1] ^= 0x10
      if place.volume == .data {
        data.put(record, for: place.key)
      } else {
        consensus.put(record, for: place.key)
      }
      device.replace(consensus, data)
      if place.volume == .data {
        #expect(throws: StoreError.self) {
          _ = try store.read(fingerprint: snapshot.fingerprint, offset: 0, count: 30)
        }
      } else if StoredKey.index(of: place.key) != nil {
        #expect(throws: StoreError.self) { _ = try store.entries(after: LogIndex(20), through: LogIndex(24)) }
      }
    }
  }
}
