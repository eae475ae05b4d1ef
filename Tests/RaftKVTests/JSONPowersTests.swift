import RaftCore
import RaftServer
import Testing

@testable import RaftKV

private func isRefusal(_ answer: String, _ type: String, _ code: String) -> Bool {
  answer.hasPrefix(#"{"type":"\#(type)","data":false,"error":{"code":"\#(code)","message":""#)
    && answer.contains(#","outcome":"not_executed""#)
}

@Suite("The JSON protocol: conditions, expiry, counters, batches")
struct JSONWritingTests {
  private var client = TestClient()

  /// Sends a request of a connection that stays open.
  private mutating func ask(_ request: String) -> String { client.ask(request + "\n") }

  @Test("a value that expires: the time that is left is told on request, and the key is gone with it")
  mutating func ttl() {
    client.time = 10_000
    #expect(ask(#"{"type":"put","key":"k","value":1,"ttl":2.5}"#) == #"{"type":"put","data":true}"#)
    #expect(
      ask(#"{"type":"get","key":"k","ttl":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","value":1,"ttl":2.5}}"#)
    client.time = 12_499
    _ = client.apply(.tick)
    #expect(
      ask(#"{"type":"get","key":"k","ttl":true,"version":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","value":1,"version":1,"ttl":0.001}}"#)
    client.time = 12_500
    _ = client.apply(.tick)
    #expect(
      ask(#"{"type":"get","key":"k","ttl":true,"version":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","value":null,"version":0,"ttl":null}}"#)
    #expect(ask(#"{"type":"put","key":"k","value":1,"ttl":60}"#) == #"{"type":"put","data":true}"#)
    #expect(ask(#"{"type":"put","key":"k","value":2,"ttl":null}"#) == #"{"type":"put","data":true}"#)
    #expect(
      ask(#"{"type":"get","key":"k","ttl":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","value":2,"ttl":null}}"#)
  }

  @Test("a get that asks for nothing more echoes the fields of the same names, as it always has")
  mutating func oldGet() {
    #expect(ask(#"{"type":"put","key":"k","value":1,"version":false}"#) == #"{"type":"put","data":true}"#)
    #expect(
      ask(#"{"type":"get","key":"k","version":7,"ttl":"x","age":2}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","version":7,"ttl":"x","age":2,"value":1}}"#)
  }

  @Test(
    "a time to live that is none is refused",
    arguments: ["0", "-1", "0.0001", #""5""#, "true", "1e400", "3155760001", "{}"])
  mutating func badTTL(_ ttl: String) {
    #expect(isRefusal(ask(#"{"type":"put","key":"k","value":1,"ttl":\#(ttl)}"#), "put", "bad_ttl"))
  }

  @Test("if_absent: the first one puts, the others are told the version of what is there")
  mutating func ifAbsent() {
    let request = #"{"type":"put","key":"k","value":1,"if_absent":true,"version":true}"#
    #expect(ask(request) == #"{"type":"put","data":true,"version":1}"#)
    let refusal = ask(request)
    #expect(isRefusal(refusal, "put", "condition_failed"))
    #expect(refusal.hasSuffix(#","version":1}}"#))
    // What reads like an absent key is one.
    #expect(ask(#"{"type":"put","key":"k","value":null}"#) == #"{"type":"put","data":true}"#)
    #expect(ask(request) == #"{"type":"put","data":true,"version":4}"#)
  }

  @Test("if_value: compared as JSON text, a null holds for an absent key")
  mutating func ifValue() {
    #expect(ask(#"{"type":"put","key":"k","value":"a","if_value":null}"#) == #"{"type":"put","data":true}"#)
    #expect(
      isRefusal(ask(#"{"type":"put","key":"k","value":"b","if_value":null}"#), "put", "condition_failed"))
    #expect(
      ask(#"{"type":"put","key":"k","value":{"x":[1, 2]},"if_value":"\u0061"}"#)
        == #"{"type":"put","data":true}"#)
    #expect(
      isRefusal(
        ask(#"{"type":"delete","key":"k","if_value":{"x":[1,2.0]}}"#), "delete", "condition_failed"))
    #expect(
      ask(#"{"type":"delete","key":"k","if_value":{"x": [1,2]}}"#) == #"{"type":"delete","data":true}"#)
    #expect(
      isRefusal(ask(#"{"type":"delete","key":"k","if_value":1}"#), "delete", "condition_failed"))
  }

  @Test("if_version: the log index of the last write, 0 for an absent key; all conditions must hold")
  mutating func ifVersion() {
    #expect(
      ask(#"{"type":"put","key":"k","value":1,"if_version":0,"version":true}"#)
        == #"{"type":"put","data":true,"version":1}"#)
    #expect(
      isRefusal(ask(#"{"type":"put","key":"k","value":2,"if_version":0}"#), "put", "condition_failed"))
    #expect(
      isRefusal(
        ask(#"{"type":"put","key":"k","value":2,"if_version":1,"if_value":2}"#), "put", "condition_failed"))
    #expect(
      ask(#"{"type":"put","key":"k","value":2,"if_version":1,"if_value":1,"if_absent":false}"#)
        == #"{"type":"put","data":true}"#)
    #expect(
      ask(#"{"type":"get","key":"k","version":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","value":2,"version":4}}"#)
    #expect(ask(#"{"type":"delete","key":"k","if_version":4}"#) == #"{"type":"delete","data":true}"#)
    let refusal = ask(#"{"type":"delete","key":"k","if_version":4}"#)
    #expect(isRefusal(refusal, "delete", "condition_failed"))
    #expect(refusal.hasSuffix(#","version":0}}"#))
  }

  @Test(
    "a condition that is none is refused",
    arguments: [#""if_absent":1"#, #""if_absent":null"#, #""if_version":-1"#, #""if_version":"1""#])
  mutating func badCondition(_ condition: String) {
    #expect(isRefusal(ask(#"{"type":"put","key":"k","value":1,\#(condition)}"#), "put", "bad_condition"))
  }

  @Test("incr: counts from 0, keeps what kind of value and for how long, and refuses what is no number")
  mutating func incr() {
    client.time = 1_000
    #expect(ask(#"{"type":"incr","key":"k"}"#) == #"{"type":"incr","data":true,"value":1}"#)
    #expect(ask(#"{"type":"incr","key":"k","by":-43}"#) == #"{"type":"incr","data":true,"value":-42}"#)
    #expect(
      ask(#"{"type":"incr","key":"k","by":2,"if_value":-42,"version":true}"#)
        == #"{"type":"incr","data":true,"value":-40,"version":3}"#)
    #expect(
      ask(#"{"type":"get","key":"k"}"#) == #"{"type":"get","data":{"type":"get","key":"k","value":-40}}"#)
    #expect(ask(#"{"type":"put","key":"s","value":"9","ttl":5}"#) == #"{"type":"put","data":true}"#)
    #expect(ask(#"{"type":"incr","key":"s"}"#) == #"{"type":"incr","data":true,"value":10}"#)
    #expect(
      ask(#"{"type":"get","key":"s","ttl":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"s","value":"10","ttl":5}}"#)
    for value in [#""x""#, "1.5", "true", "[1]", #""""#, "9223372036854775808"] {
      _ = ask(#"{"type":"put","key":"x","value":\#(value)}"#)
      #expect(isRefusal(ask(#"{"type":"incr","key":"x"}"#), "incr", "not_a_number"))
    }
    _ = ask(#"{"type":"put","key":"x","value":9223372036854775807}"#)
    #expect(isRefusal(ask(#"{"type":"incr","key":"x"}"#), "incr", "overflow"))
    _ = ask(#"{"type":"put","key":"x","value":null}"#)
    #expect(ask(#"{"type":"incr","key":"x"}"#) == #"{"type":"incr","data":true,"value":1}"#)
    #expect(isRefusal(ask(#"{"type":"incr","key":"k","by":1.5}"#), "incr", "bad_increment"))
    #expect(isRefusal(ask(#"{"type":"incr"}"#), "incr", "missing_key"))
  }

  @Test("a batch makes all of its changes, at one index of the log, or none")
  mutating func batch() {
    _ = ask(#"{"type":"put","key":"a","value":"old"}"#)
    _ = ask(#"{"type":"put","key":"n","value":5}"#)
    #expect(
      ask(
        #"{"type":"batch","ops":[{"type":"put","key":"a","value":"new,]}\"","if_value":"old"},"#
          + #"{"type":"delete","key":"b"},{"type":"incr","key":"n","by":2},"#
          + #"{"type":"put","key":"a","namespace":"other","value":[1,[2]],"ttl":9}]}"#)
        == #"{"type":"batch","data":true,"version":3,"results":[{"type":"put","data":true},"#
        + #"{"type":"delete","data":true},{"type":"incr","data":true,"value":7},{"type":"put","data":true}]}"#
    )
    #expect(
      ask(#"{"type":"get","key":"a","version":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"a","value":"new,]}\"","version":3}}"#)
    #expect(
      ask(#"{"type":"get","key":"a","namespace":"other"}"#)
        == #"{"type":"get","data":{"type":"get","key":"a","namespace":"other","value":[1,[2]]}}"#)
    let refusal = ask(
      #"{"type":"batch","ops":[{"type":"put","key":"a","value":0},{"type":"incr","key":"n","if_version":1}]}"#
    )
    #expect(isRefusal(refusal, "batch", "condition_failed"))
    #expect(refusal.hasSuffix(#","operation":1,"version":3}}"#))
    #expect(ask(#"{"type":"get","key":"a"}"#).contains("new"))
    #expect(
      ask(#"{"type":"batch","namespace":"other","ops":[{"type":"delete","key":"a"}]}"#).contains("true"))
    #expect(ask(#"{"type":"get","key":"a","namespace":"other"}"#).contains(#""value":null"#))
    #expect(
      ask(#"{"type":"batch","ops":[]}"#) == #"{"type":"batch","data":true,"version":6,"results":[]}"#)
  }

  @Test(
    "a batch that is none is refused, with the number of the operation",
    arguments: [
      (#"1"#, "bad_batch"), (#"[1]"#, "bad_batch"), (#"[{"type":"get","key":"k"}]"#, "bad_batch"),
      (#"[{"type":"put","key":"k"}]"#, "missing_value"), (#"[{"type":"delete"}]"#, "missing_key"),
      (#"[{"type":"incr","key":"k","by":"x"}]"#, "bad_increment"),
      (#"[{"type":"delete","key":"k"},{"type":"incr","key":"\u006b"}]"#, "bad_batch"),
    ])
  mutating func badBatch(_ ops: String, _ code: String) {
    #expect(isRefusal(ask(#"{"type":"batch","ops":\#(ops)}"#), "batch", code))
  }

  @Test("a batch of more operations than the limit is refused")
  mutating func largeBatch() {
    var options = JSONProtocolOptions()
    options.batchOperationsMax = 2
    client = TestClient(options: options)
    let operations = (0..<3).map { #"{"type":"incr","key":"\#($0)"}"# }
    func batch(_ count: Int) -> String {
      #"{"type":"batch","ops":["# + operations.prefix(count).joined(separator: ",") + "]}"
    }
    #expect(ask(batch(2)).contains(#""data":true"#))
    #expect(isRefusal(ask(batch(3)), "batch", "bad_batch"))
  }

  @Test("writes of a session carry its stamp, whatever they are")
  mutating func stamps() {
    _ = ask(#"{"type":"incr","key":"k","session":5,"seq":1}"#)
    _ = ask(#"{"type":"batch","ops":[{"type":"incr","key":"k"}],"session":5,"seq":2,"acked":1}"#)
    _ = ask(#"{"type":"delete","key":"k","if_version":2,"session":5,"seq":3}"#)
    #expect(client.stamps.map(\.sequence) == [1, 2, 3])
    #expect(client.stamps.map(\.lowestUnacknowledged) == [1, 2, 1])
  }

  @Test("changes and their outcomes survive their encoding, and no piece of it is taken for them")
  func encoding() throws {
    var condition = KeyCondition()
    condition.isAbsent = true
    condition.value = Bytes("[1]".utf8)
    condition.version = 1 << 40
    let changes = [
      KeyChange(namespace: [1], key: [2, 3], action: .put([4], milliseconds: nil), condition: condition),
      KeyChange(namespace: [], key: [], action: .put([], milliseconds: 1 << 50)),
      KeyChange(namespace: [1], key: [2], action: .delete),
      KeyChange(namespace: [1], key: [2], action: .add(-5)),
    ]
    let command = KeyValueCommand.change(changes)
    let bytes = command.encoded()
    #expect(try KeyValueCommand(decoding: bytes) == command)
    for length in 0..<bytes.count {
      #expect(throws: MalformedBytes.self) { try KeyValueCommand(decoding: Bytes(bytes[..<length])) }
    }
    for outcome in [
      KeyValueOutcome.made(version: 9, [.put, .deleted, .number(-1)]),
      .refused(KeyChangeRefusal(position: 3, reason: .overflow, version: 7)),
    ] {
      let bytes = outcome.encoded()
      #expect(try KeyValueOutcome(decoding: bytes) == outcome)
      for length in 0..<bytes.count {
        #expect(throws: MalformedBytes.self) { try KeyValueOutcome(decoding: Bytes(bytes[..<length])) }
      }
    }
  }
}

@Suite("The JSON protocol: ways to read, and scans")
struct JSONReadingTests {
  private var client = TestClient()

  private mutating func ask(_ request: String) -> String { client.ask(request + "\n") }

  @Test("a stale read is answered with its age; others are linearizable")
  mutating func consistency() {
    _ = ask(#"{"type":"put","key":"k","value":1}"#)
    #expect(
      ask(#"{"type":"get","key":"k","consistency":"stale"}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","consistency":"stale","value":1,"age":null}}"#)
    client.age = 15
    #expect(
      ask(#"{"type":"get","key":"k","consistency":"stale","age":1,"version":true}"#)
        == #"{"type":"get","data":{"type":"get","key":"k","consistency":"stale","value":1,"version":1,"age":15}}"#
    )
    #expect(
      ask(#"{"type":"scan","consistency":"stale"}"#)
        == #"{"type":"scan","data":[{"key":"k","value":1}],"cursor":null,"index":1,"age":15}"#)
    for consistency in ["linearizable", "lease"] {
      #expect(
        ask(#"{"type":"get","key":"k","consistency":"\#(consistency)"}"#)
          == #"{"type":"get","data":{"type":"get","key":"k","consistency":"\#(consistency)","value":1}}"#)
    }
    #expect(isRefusal(ask(#"{"type":"get","key":"k","consistency":1}"#), "get", "bad_consistency"))
    #expect(ask(#"{"type":"lease"}"#) == #"{"type":"lease","data":true,"on":true}"#)
    #expect(isRefusal(ask(#"{"type":"lease","on":1}"#), "lease", "bad_lease"))
    #expect(isRefusal(ask(#"{"type":"lease","on":true}"#), "lease", "not_leader"))
  }

  @Test("a scan gives the keys of a prefix in the order of their bytes, page by page")
  mutating func pages() {
    for key in ["b", "a", "ab", "aé", "a", "B", "az"] {
      _ = ask(#"{"type":"put","key":"\#(key)","value":"\#(key)"}"#)
    }
    _ = ask(#"{"type":"put","key":"a","value":0,"namespace":"other"}"#)
    #expect(
      ask(#"{"type":"scan","prefix":"a","values":false}"#)
        == #"{"type":"scan","data":[{"key":"a"},{"key":"ab"},{"key":"az"},{"key":"aé"}],"cursor":null,"index":8}"#
    )
    #expect(
      ask(#"{"type":"scan","prefix":"a","limit":2,"version":true}"#)
        == #"{"type":"scan","data":[{"key":"a","value":"a","version":5},{"key":"ab","value":"ab","version":3}],"#
        + #""cursor":"617a","index":8}"#)
    #expect(
      ask(#"{"type":"scan","prefix":"a","limit":2,"cursor":"617a"}"#)
        == #"{"type":"scan","data":[{"key":"az","value":"az"},{"key":"aé","value":"aé"}],"cursor":null,"index":8}"#
    )
    #expect(
      ask(#"{"type":"scan","from":"B","to":"ab","values":false}"#)
        == #"{"type":"scan","data":[{"key":"B"},{"key":"a"}],"cursor":null,"index":8}"#)
    #expect(
      ask(#"{"type":"scan","prefix":"a","from":"aa","to":"z","values":false,"cursor":null}"#)
        == #"{"type":"scan","data":[{"key":"ab"},{"key":"az"},{"key":"aé"}],"cursor":null,"index":8}"#)
    #expect(
      ask(#"{"type":"scan","from":"b","to":"a"}"#) == #"{"type":"scan","data":[],"cursor":null,"index":8}"#)
  }

  @Test("what the commands of Redis have written is shown, in base 64 if it is no text")
  mutating func others() {
    func run(_ words: [Bytes]) {
      _ = client.apply(.run([KeyValueCall(namespace: Bytes("default".utf8), arguments: words)]))
    }
    run([Bytes("SET".utf8), Bytes("s".utf8), [0xFF, 0xFE, 0x00]])
    run([Bytes("BF.ADD".utf8), Bytes("t".utf8), Bytes("x".utf8)])
    run([Bytes("SET".utf8), [0x80], Bytes("plain \"".utf8)])
    #expect(
      ask(#"{"type":"scan"}"#)
        == #"{"type":"scan","data":[{"key":"s","value_base64":"//4A"},{"key":"t","kind":"bloom_filter"},"#
        + #"{"key_base64":"gA==","value":"plain \""}],"cursor":null,"index":3}"#)
    #expect(isRefusal(ask(#"{"type":"get","key":"s","version":true}"#), "get", "not_text"))
  }

  @Test("expired keys are not shown, even before they are removed")
  mutating func expired() {
    client.time = 1_000
    for number in 0..<1_200 { _ = ask(#"{"type":"put","key":"a\#(number)","value":0,"ttl":1}"#) }
    _ = ask(#"{"type":"put","key":"b","value":1}"#)
    client.time = 2_000
    _ = ask(#"{"type":"put","key":"c","value":2}"#)
    var (cursor, keys, pages) = ("null", [String](), 0)
    repeat {
      let answer = ask(#"{"type":"scan","values":false,"cursor":\#(cursor)}"#)
      keys += answer.matches(of: /"key":"(\w+)"/).map { String($0.output.1) }
      cursor = answer.firstMatch(of: /"cursor":(null|"\w*")/).map { String($0.output.1) } ?? "null"
      pages += 1
    } while cursor != "null" && pages < 10
    #expect(keys == ["b", "c"])
    #expect(pages == 2, "a page passes over a thousand of them at most")
  }

  @Test("a page ends at the limit of keys, whatever is asked for, and at the limit of bytes")
  mutating func limits() {
    var options = JSONProtocolOptions()
    options.scanKeysMax = 3
    options.scanBytesMax = 20
    client = TestClient(options: options)
    for number in 0..<5 { _ = ask(#"{"type":"put","key":"\#(number)","value":0}"#) }
    #expect(
      ask(#"{"type":"scan","limit":1000000,"values":false}"#)
        == #"{"type":"scan","data":[{"key":"0"},{"key":"1"},{"key":"2"}],"cursor":"33","index":5}"#)
    _ = ask(#"{"type":"put","key":"1","value":"a value of more than 20 bytes"}"#)
    #expect(ask(#"{"type":"scan"}"#).hasSuffix(#"bytes"}],"cursor":"32","index":6}"#))
  }

  @Test(
    "a range that is none is refused",
    arguments: [
      #""limit":0"#, #""limit":"1""#, #""cursor":"0""#, #""cursor":"zz""#, #""cursor":7"#, #""prefix":1"#,
      #""from":[]"#, #""to":"\ud800""#, #""values":0"#,
    ])
  mutating func badScan(_ field: String) {
    #expect(isRefusal(ask(#"{"type":"scan",\#(field)}"#), "scan", "bad_scan"))
  }

  @Test("the namespaces that have keys, page by page")
  mutating func namespaces() {
    #expect(ask(#"{"type":"namespaces"}"#) == #"{"type":"namespaces","data":[],"cursor":null}"#)
    for namespace in ["c", "", "a\\u0000", "default"] {
      _ = ask(#"{"type":"put","key":"k","value":0,"namespace":"\#(namespace)"}"#)
    }
    _ = client.apply(.put(namespace: [0xFF], key: [1], value: Bytes("0".utf8)))
    #expect(
      ask(#"{"type":"namespaces"}"#)
        == #"{"type":"namespaces","data":["","a\u0000","c","default",{"base64":"/w=="}],"cursor":null}"#)
    #expect(
      ask(#"{"type":"namespaces","limit":2}"#)
        == #"{"type":"namespaces","data":["","a\u0000"],"cursor":"63"}"#)
    #expect(
      ask(#"{"type":"namespaces","limit":2,"cursor":"63"}"#)
        == #"{"type":"namespaces","data":["c","default"],"cursor":"ff"}"#)
    _ = ask(#"{"type":"delete","key":"k","namespace":"c"}"#)
    #expect(!ask(#"{"type":"namespaces"}"#).contains(#""c""#))
  }
}
