import RaftCore
import RaftServer
import Testing

@testable import RaftKV

@Suite("The JSON protocol: watches")
struct JSONWatchTests {
  private var client = TestClient()

  private mutating func ask(_ request: String) -> String { client.ask(request + "\n") }

  /// Runs a command that another client has sent.
  private mutating func put(_ key: String, _ value: String, namespace: String = "default") {
    _ = client.apply(
      .put(namespace: Bytes(namespace.utf8), key: Bytes(key.utf8), value: Bytes(value.utf8)))
    client.pump()
  }

  @Test("a watch of a key keeps the connection open, and tells what happens to it from then on")
  mutating func key() {
    put("k", "0")
    client.send(#"{"type":"watch","key":"k"}"#)
    #expect(client.takeLines() == [#"{"type":"watch","data":true,"from":2}"#])
    #expect(!client.connection.isFinished)
    put("k", #""v""#)
    put("kk", "1")
    put("k", "2", namespace: "other")
    _ = client.apply(.delete(namespace: Bytes("default".utf8), key: Bytes("k".utf8)))
    _ = client.apply(.delete(namespace: Bytes("default".utf8), key: Bytes("k".utf8)))
    client.pump()
    #expect(
      client.takeLines() == [
        #"{"type":"event","index":2,"key":"k","value":"v"}"#,
        #"{"type":"event","index":5,"key":"k","deleted":true}"#,
      ])
    client.endInput()
    #expect(client.connection.isFinished)
  }

  @Test("a watch of a prefix, expiry told once, and a namespace that is emptied")
  mutating func prefix() {
    #expect(
      ask(#"{"type":"watch","prefix":"a","id":"w"}"#) == #"{"type":"watch","data":true,"id":"w","from":1}"#)
    client.time = 1_000
    #expect(
      ask(#"{"type":"put","key":"ab","value":1,"ttl":1}"#)
        == #"{"type":"put","data":true}|{"type":"event","id":"w","index":1,"key":"ab","value":1}"#)
    client.time = 2_000
    _ = client.apply(.tick)
    client.pump()
    #expect(client.takeLines() == [#"{"type":"event","id":"w","index":2,"key":"ab","expired":true}"#])
    _ = ask(#"{"type":"put","key":"ab","value":1,"ttl":1}"#)
    client.time = 3_000
    // The key has expired, and is not removed yet: that it was gone is told all the same.
    #expect(
      ask(#"{"type":"put","key":"ab","value":2}"#)
        == #"{"type":"put","data":true}|{"type":"event","id":"w","index":4,"key":"ab","expired":true,"more":true}"#
        + #"|{"type":"event","id":"w","index":4,"key":"ab","value":2}"#)
    for command in ["FLUSHDB", "FLUSHALL"] {
      _ = client.apply(
        .run([KeyValueCall(namespace: Bytes("default".utf8), arguments: [Bytes(command.utf8)])]))
    }
    client.pump()
    #expect(
      client.takeLines() == [
        #"{"type":"event","id":"w","index":5,"cleared":true}"#,
        #"{"type":"event","id":"w","index":6,"cleared":true}"#,
      ])
  }

  @Test("changes of one index are marked as belonging together, as far as the watch sees them")
  mutating func together() {
    _ = ask(#"{"type":"watch","prefix":"a"}"#)
    let lines = ask(
      #"{"type":"batch","ops":[{"type":"put","key":"a1","value":1},{"type":"put","key":"b","value":2},"#
        + #"{"type":"incr","key":"a2"},{"type":"put","key":"c","value":3}]}"#
    ).split(separator: "|").dropFirst()
    #expect(
      Array(lines) == [
        #"{"type":"event","index":1,"key":"a1","value":1,"more":true}"#,
        #"{"type":"event","index":1,"key":"a2","value":1}"#,
      ])
  }

  @Test("a watch from an index tells everything since, and from one to come nothing before it")
  mutating func resuming() {
    for number in 1...5 { put("k", "\(number)") }
    #expect(
      ask(#"{"type":"watch","key":"k","from":4,"id":1}"#)
        == #"{"type":"watch","data":true,"id":1,"from":4}|{"type":"event","id":1,"index":4,"key":"k","value":4}"#
        + #"|{"type":"event","id":1,"index":5,"key":"k","value":5}"#)
    #expect(
      ask(#"{"type":"watch","key":"k","from":7,"id":2}"#) == #"{"type":"watch","data":true,"id":2,"from":7}"#)
    put("k", "6")
    #expect(client.takeLines() == [#"{"type":"event","id":1,"index":6,"key":"k","value":6}"#])
    put("k", "7")
    #expect(
      client.takeLines().sorted() == [
        #"{"type":"event","id":1,"index":7,"key":"k","value":7}"#,
        #"{"type":"event","id":2,"index":7,"key":"k","value":7}"#,
      ])
  }

  @Test("a watch from an index that is forgotten ends, and says from where on it could go on")
  mutating func forgotten() {
    client.machine = TestMachine(backend: SortedBackend(), history: ChangeHistory(eventsMax: 3))
    for number in 1...5 { put("k", "\(number)") }
    let lines = ask(#"{"type":"watch","key":"k","from":2,"id":"w"}"#).split(separator: "|")
    #expect(lines.first == #"{"type":"watch","data":true,"id":"w","from":2}"#)
    #expect(lines.last?.hasPrefix(#"{"type":"watch","data":false,"error":{"code":"compacted","#) ?? false)
    #expect(lines.last?.hasSuffix(#","outcome":"not_executed","id":"w","from":2,"oldest":3}}"#) ?? false)
    #expect(client.connection.watches.isEmpty)
    #expect(ask(#"{"type":"watch","key":"k","from":3}"#).split(separator: "|").count == 4)
  }

  @Test(
    "a client that does not take its events is not sent more, and loses the watch when they are forgotten")
  mutating func slow() {
    client.machine = TestMachine(backend: SortedBackend(), history: ChangeHistory(eventsMax: 10))
    _ = ask(#"{"type":"watch","key":"k"}"#)
    client.unsentBytes = client.connection.options.outputBytesMax
    for number in 1...8 { put("k", "\(number)") }
    #expect(client.takeLines() == [])
    client.unsentBytes = 0
    client.pump()
    #expect(client.takeLines().count == 8)
    client.unsentBytes = client.connection.options.outputBytesMax
    for number in 9...30 { put("k", "\(number)") }
    client.unsentBytes = 0
    client.pump()
    let lines = client.takeLines()
    #expect(lines.count == 1)
    #expect(lines.first?.contains(#""from":9,"oldest":21"#) ?? false)
  }

  @Test("a watch that sees nothing does not fall behind")
  mutating func quiet() {
    client.machine = TestMachine(backend: SortedBackend(), history: ChangeHistory(eventsMax: 3))
    _ = ask(#"{"type":"watch","key":"rare"}"#)
    for number in 1...20 { put("k", "\(number)") }
    put("rare", "1")
    #expect(client.takeLines() == [#"{"type":"event","index":21,"key":"rare","value":1}"#])
  }

  @Test("a client that asks for it is told how far it has been told everything")
  mutating func progress() {
    _ = ask(#"{"type":"watch","key":"rare","progress":true,"id":3}"#)
    for number in 1...250 { put("k", "\(number)") }
    put("rare", "1")
    for number in 1...101 { put("k", "\(number)") }
    #expect(
      client.takeLines() == [
        #"{"type":"progress","id":3,"index":101}"#, #"{"type":"progress","id":3,"index":201}"#,
        #"{"type":"event","id":3,"index":251,"key":"rare","value":1}"#,
        #"{"type":"progress","id":3,"index":351}"#,
      ])
  }

  @Test("many events come in pieces, none of them lost or doubled, also inside of one index")
  mutating func pieces() {
    let value = "\"" + String(repeating: "x", count: 30_000) + "\""
    let words = (0..<20).flatMap { [Bytes("k\($0)".utf8), Bytes(value.utf8)] }
    _ = client.apply(
      .run([KeyValueCall(namespace: Bytes("default".utf8), arguments: [Bytes("MSET".utf8)] + words)]))
    for number in 20..<30 { put("k\(number)", value) }
    let lines = ask(#"{"type":"watch","prefix":"k","from":1}"#).split(separator: "|").dropFirst()
    let keys = lines.compactMap { $0.firstMatch(of: /"key":"(\w+)"/)?.output.1 }
    #expect(keys.map(String.init) == (0..<30).map { "k\($0)" })
    #expect(lines.filter { $0.contains(#""more":true"#) }.count == 19)
  }

  @Test("watches have names, of which each is there once; unwatch ends one")
  mutating func names() {
    _ = ask(#"{"type":"watch","key":"k","id":"a"}"#)
    #expect(ask(#"{"type":"watch","key":"l","id":"a"}"#).contains(#""code":"bad_watch""#))
    _ = ask(#"{"type":"watch","key":"l","id":2}"#)
    #expect(ask(#"{"type":"unwatch","id":"b"}"#).contains(#""code":"no_watch""#))
    #expect(ask(#"{"type":"unwatch","id":"a"}"#) == #"{"type":"unwatch","data":true}"#)
    #expect(
      ask(#"{"type":"batch","ops":[{"type":"incr","key":"k"},{"type":"incr","key":"l"}]}"#)
        .hasSuffix(#"|{"type":"event","id":2,"index":1,"key":"l","value":1}"#))
    client.send(#"{"type":"unwatch","id":2}"#)
    #expect(client.takeLines() == [#"{"type":"unwatch","data":true}"#])
    #expect(client.connection.isFinished, "nothing keeps the connection open any more")
  }

  @Test("a connection has so many watches at most")
  mutating func limit() {
    var options = JSONProtocolOptions()
    options.connectionWatchesMax = 2
    client = TestClient(options: options)
    for number in 0..<2 {
      #expect(ask(#"{"type":"watch","key":"k","id":\#(number)}"#).contains(#""data":true"#))
    }
    #expect(ask(#"{"type":"watch","key":"k","id":2}"#).contains(#""code":"too_many_watches""#))
  }

  @Test(
    "a watch that does not say what to watch is refused",
    arguments: [
      #""key":"k","prefix":"p""#, #""prefix":1"#, #""key":"k","from":-1"#, #""key":"k","id":[]"#,
      #""key":"k","id":null"#, #""key":"k","from":9007199254740992"#,
    ])
  mutating func badWatch(_ fields: String) {
    #expect(ask(#"{"type":"watch",\#(fields)}"#).contains(#""code":"bad_watch""#))
  }

  @Test("bytes that are no request end the watches with the connection")
  mutating func rubbish() {
    _ = ask(#"{"type":"watch","key":"k"}"#)
    #expect(client.ask("x").contains("not_an_object"))
    #expect(client.connection.isFinished)
  }

  @Test("after a restart, or a snapshot, a node remembers nothing, and what follows is complete")
  mutating func resumed() {
    var machine = TestMachine(backend: SortedBackend())
    machine.resume(after: LogIndex(10))
    // Index 11 is no command.
    _ = machine.apply(
      .put(namespace: [1], key: [2], value: Bytes("3".utf8)),
      at: ApplyContext(logIndex: LogIndex(12), time: 0))
    let filter = KeyFilter(namespace: [1], key: [2], isPrefix: false)
    func ask(_ index: UInt64) -> KeyValueAnswer {
      machine.read(
        .changes(ChangeQuery(filter: filter, position: HistoryPosition(index: index), bytesMax: 1_000)),
        at: LogIndex(13))
    }
    #expect(ask(10) == .forgotten(before: 11))
    guard case .changes(let page) = ask(11) else {
      Issue.record("everything from 11 on is known")
      return
    }
    #expect(page.items.map(\.event.index) == [12])
    #expect(page.next == HistoryPosition(index: 14))
  }

  @Test(
    "what is remembered takes no more bytes than the limit; only what the last command has changed may take more"
  )
  func historyBytes() {
    var history = ChangeHistory(bytesMax: 1_000)
    func event(_ index: UInt64, _ count: Int) -> KeyEvent {
      KeyEvent(
        index: index, namespace: [], key: [],
        content: .put(StoredValue(kind: .string, payload: Bytes(repeating: 0, count: count))))
    }
    for index in 1...3_000 as ClosedRange<UInt64> { history.record(event(index, 0)) }
    #expect(history.count == 6)
    #expect(history.forgottenThrough == 2_994)
    history.record(event(3_001, 2_000))
    history.record(event(3_001, 0))
    #expect(history.count == 2)
    #expect(history.forgottenThrough == 3_000)
    history.record(event(3_002, 0))
    #expect(history.count == 1)
    #expect(history.bytes < 1_000)
    #expect(history.forgottenThrough == 3_001)
  }
}
