import RaftCore
import Testing

@testable import RaftKV
@testable import RaftServer

private func refusal(_ type: String, _ code: String, in answer: String) -> Bool {
  answer.hasPrefix(#"{"type":"\#(type)","data":false,"error":{"code":"\#(code)","message":""#)
    && answer.hasSuffix(#"","outcome":"not_executed"}}"#)
}

@Suite("The JSON protocol: requests and their answers")
struct JSONProtocolTests {
  @Test("each request of a one-shot client gets its answer, and the connection closes")
  func oneShot() {
    var machine = TestMachine(backend: SortedBackend())
    let conversation: [(request: String, answer: String)] = [
      (#"{"type":"get","key":"k"}"#, #"{"type":"get","data":{"type":"get","key":"k","value":null}}"#),
      (#"{"type":"put","key":"k","value":"v"}"#, #"{"type":"put","data":true}"#),
      (#"{"type":"get","key":"k"}"#, #"{"type":"get","data":{"type":"get","key":"k","value":"v"}}"#),
      (
        #"{"type":"get","key":"k","namespace":"default"}"#,
        #"{"type":"get","data":{"type":"get","key":"k","namespace":"default","value":"v"}}"#
      ),
      (
        #"{"type":"get","key":"k","namespace":"other"}"#,
        #"{"type":"get","data":{"type":"get","key":"k","namespace":"other","value":null}}"#
      ),
      (#"{"type":"put","key":"k","value":1,"namespace":"other"}"#, #"{"type":"put","data":true}"#),
      (#"{"type":"delete","key":"k","delete":true}"#, #"{"type":"delete","data":true}"#),
      (#"{"type":"delete","key":"k"}"#, #"{"type":"delete","data":true}"#),
      (#"{"type":"get","key":"k"}"#, #"{"type":"get","data":{"type":"get","key":"k","value":null}}"#),
      (
        #"{"namespace":"other","key":"k","type":"get","x":[1, {}]}"#,
        #"{"type":"get","data":{"namespace":"other","key":"k","type":"get","x":[1,{}],"value":1}}"#
      ),
      (#"{"type":"put","key":"","value":""}"#, #"{"type":"put","data":true}"#),
      (#"{"type":"get","key":""}"#, #"{"type":"get","data":{"type":"get","key":"","value":""}}"#),
      (
        #"{"type":"peers"}"#,
        #"{"type":"peers","peers":["10.0.0.2:5000","10.0.0.3:5000"],"roles":["voter","learner"],"#
          + #""reachable":[false,true]}"#
      ),
      (
        #"{"type":"ping","addr":"mine","n":1}"#,
        #"{"type":"ping","n":1,"is_alive":true,"addr":"10.0.0.2:5000"}"#
      ),
      (
        " \n\t" + #"{ "type" : "put" , "key" : "k" , "value" : 7 , "extra" : null }"#,
        #"{"type":"put","data":true}"#
      ),
    ]
    for (request, answer) in conversation {
      var client = TestClient()
      client.machine = machine
      client.send(request)
      #expect(client.takeLines() == [answer])
      #expect(client.connection.isFinished)
      machine = client.machine
    }
  }

  @Test(
    "a value of any type comes back as it was put",
    arguments: [
      "42", "1.5", "1180591620717411303424", "1e400", "-0", "0", "1.0", "true", "false", "null", #""""#,
      #""a\"\\b""#,
      #"{"z":1,"a":{"y":[],"b":null}}"#, "[]", "{}", "[1,[2,[3]]]", #""\u0000\u001f""#,
      "\"\u{2028}\u{2029}😀\"",
      #""\ud800""#, #"{"a":1,"a":2}"#, #"{"":""}"#,
    ])
  func values(_ value: String) {
    var client = TestClient()
    let answers = client.ask(
      "{\"type\":\"put\",\"key\":\"k\",\"value\":\(value)}\n{\"type\":\"get\",\"key\":\"k\"}")
    #expect(
      answers
        == "{\"type\":\"put\",\"data\":true}|{\"type\":\"get\",\"data\":{\"type\":\"get\",\"key\":\"k\",\"value\":\(value)}}"
    )
  }

  @Test("a key is the same key raw and escaped, and different from what merely looks the same")
  func unicodeKeys() {
    var client = TestClient()
    // é as one character, raw and escaped, and as e with an accent: two keys.
    _ = client.ask("{\"type\":\"put\",\"key\":\"caf\u{E9}😀\",\"value\":1}\n")
    _ = client.ask("{\"type\":\"put\",\"key\":\"cafe\u{301}😀\",\"value\":2}\n")
    #expect(client.ask(#"{"type":"get","key":"caf\u00E9\ud83d\ude00"}"# + "\n").hasSuffix(#""value":1}}"#))
    #expect(
      client.ask(#"{"\u0074ype":"g\u0065t","key":"cafe\u0301\ud83d\ude00"}"# + "\n").hasSuffix(
        #""value":2}}"#))
    #expect(
      client.ask(#"{"type":"get","namespace":"d\u0065fault","key":"café😀"}"# + "\n").hasSuffix(
        #""value":1}}"#))
  }

  @Test("the last of repeated fields wins, and is what get repeats")
  func repeatedFields() {
    var client = TestClient()
    _ = client.ask(#"{"type":"get","key":"a","type":"put","value":1,"key":"b","value":2}"# + "\n")
    #expect(client.machine.read(.get(namespace: Bytes("default".utf8), key: Bytes("a".utf8))) == .value(nil))
    #expect(
      client.machine.read(.get(namespace: Bytes("default".utf8), key: Bytes("b".utf8))) == .value([0x32]))
    #expect(
      client.ask(#"{"key":"a","value":9,"type":"get","key":"b"}"#)
        == #"{"type":"get","data":{"key":"b","type":"get","value":2}}"#)
  }

  @Test("status tells what a leader knows of the others, why one has stopped, and what is under way")
  func statusOfLeader() {
    var client = TestClient()
    client.status.version = "1.2.3"
    client.status.lastIndex = LogIndex(13)
    client.status.silenceMilliseconds = 40
    client.status.writeMilliseconds = 1_500
    client.status.changeIndex = LogIndex(13)
    client.status.joinObstacle = "no \"leader\""
    client.status.awaited = ["a:1", "b:1"]
    client.status.members[0].progress = .init(
      matchIndex: LogIndex(9), isCaughtUp: false, silenceMilliseconds: 20,
      replication: .snapshot(sent: 5, bytes: 10))
    client.status.members[1].lastWords = .init(isFailure: true, reason: "full", ageMilliseconds: 7)
    let answer = client.ask(#"{"type":"status"}"# + "\n")
    for part in [
      #""last":13,"#, #""version":"1.2.3","#, #""silent_ms":40,"write_ms":1500,"change":13,"#,
      #""join_obstacle":"no \"leader\"","awaited":["a:1","b:1"],"#,
      #""match":9,"caught_up":false,"silent_ms":20,"snapshot":{"sent":5,"bytes":10}}"#,
      #""stopped":{"failed":true,"reason":"full","ago_ms":7}}"#,
    ] { #expect(answer.contains(part), "\(answer)") }
  }

  @Test("who is replaced, and by whom, has to be said")
  func replacement() {
    var client = TestClient()
    for (request, code) in [
      (#"{"type":"member","action":"replace","addr":"n1"}"#, "bad_action"),
      (#"{"type":"member","action":"replace","addr":"n1","with":"nowhere"}"#, "bad_action"),
      (#"{"type":"member","action":"replace","addr":"n1","with":7}"#, "bad_action"),
      (#"{"type":"member","action":"exchange","addr":"n1","with":"a:1"}"#, "bad_action"),
    ] { #expect(client.ask(request + "\n").contains(#""code":"\#(code)""#), "\(request)") }
  }

  @Test("status tells what the node knows")
  func status() {
    var client = TestClient()
    #expect(
      client.ask(#"{"type":"status"}"# + "\n")
        == #"{"type":"status","id":"n2","addr":"10.0.0.2:5000","role":"follower","term":7,"leader":"10.0.0.1:5000","#
        + #""commit":12,"applied":11,"last":0,"store":"memory","version":"","cluster":"c9","silent_ms":null,"#
        + #""write_ms":null,"change":null,"snapshot_received":null,"join_obstacle":null,"awaited":[],"members":["#
        + #"{"id":"n1","addr":"10.0.0.1:5000","role":"voter","reachable":true,"store":"memory"},"#
        + #"{"id":"n2","addr":"10.0.0.2:5000","role":"voter","reachable":false,"store":"memory"},"#
        + #"{"id":"n3","addr":"10.0.0.3:5000","role":"learner","reachable":true,"store":"memory"}]}"#)
    client.status = TestClient.status(leader: nil)
    #expect(client.ask(#"{"type":"status"}"# + "\n").contains(#""leader":null,"#))
    #expect(
      client.ask(#"{"type":"peers"}"#)
        == #"{"type":"peers","peers":["10.0.0.1:5000","10.0.0.2:5000","10.0.0.3:5000"],"#
        + #""roles":["voter","voter","learner"],"reachable":[true,false,true]}"#)
  }

  @Test("a write may be part of a session, which is opened and closed")
  func sessions() {
    var client = TestClient()
    client.send(
      #"{"type":"session"}"# + "\n" + #"{"type":"put","key":"k","value":1,"session":17,"seq":1}"# + "\n")
    #expect(
      client.takeLines() == [#"{"type":"session","data":true,"session":17}"#, #"{"type":"put","data":true}"#])
    client.send(
      #"{"type":"delete","key":"k","session":17,"seq":9,"acked":7}"# + "\n"
        + #"{"type":"session","close":17}"#)
    #expect(
      client.takeLines() == [#"{"type":"delete","data":true}"#, #"{"type":"session","data":true}"#])
    #expect(
      client.stamps == [
        SessionStamp(session: 17, sequence: 1, lowestUnacknowledged: 1),
        SessionStamp(session: 17, sequence: 9, lowestUnacknowledged: 8),
      ])
  }

  static let refused: [(request: String, type: String, code: String)] = [
    (#"{}"#, "error", "bad_type"),
    (#"{"key":"k"}"#, "error", "bad_type"),
    (#"{"type":7}"#, "error", "bad_type"),
    (#"{"type":null}"#, "error", "bad_type"),
    (#"{"type":"nosuch"}"#, "nosuch", "unknown_type"),
    (#"{"type":"PUT","key":"k","value":1}"#, "PUT", "unknown_type"),
    (#"{"type":"\ud800"}"#, #"\ud800"#, "unknown_type"),
    (#"{"type":"put","value":1}"#, "put", "missing_key"),
    (#"{"type":"get"}"#, "get", "missing_key"),
    (#"{"type":"delete","delete":true}"#, "delete", "missing_key"),
    (#"{"type":"put","key":7,"value":1}"#, "put", "bad_key"),
    (#"{"type":"get","key":null}"#, "get", "bad_key"),
    (#"{"type":"get","key":["k"]}"#, "get", "bad_key"),
    (#"{"type":"get","key":"\ud800"}"#, "get", "bad_key"),
    (#"{"type":"get","key":"k","namespace":7}"#, "get", "bad_namespace"),
    (#"{"type":"get","key":"k","namespace":null}"#, "get", "bad_namespace"),
    (#"{"type":"put","key":"k"}"#, "put", "missing_value"),
    (#"{"type":"put","key":"12345","value":1}"#, "put", "key_too_large"),
    (#"{"type":"delete","key":"éé\u00e9"}"#, "delete", "key_too_large"),
    (#"{"type":"get","key":"k","namespace":"12345678"}"#, "get", "namespace_too_large"),
    (#"{"type":"put","key":"k","value":"123456789"}"#, "put", "value_too_large"),
    (#"{"type":"add_peer","payload":"nowhere"}"#, "add_peer", "bad_action"),
    (#"{"type":"add_peer"}"#, "add_peer", "bad_action"),
    (#"{"type":"delete","key":"k","session":17}"#, "delete", "bad_session"),
    (#"{"type":"delete","key":"k","session":17,"seq":0}"#, "delete", "bad_session"),
    (#"{"type":"delete","key":"k","session":0,"seq":1}"#, "delete", "bad_session"),
    (#"{"type":"delete","key":"k","session":"17","seq":1}"#, "delete", "bad_session"),
    (#"{"type":"delete","key":"k","session":17,"seq":1.5}"#, "delete", "bad_session"),
    (#"{"type":"delete","key":"k","session":17,"seq":3,"acked":3}"#, "delete", "bad_session"),
    (#"{"type":"session","close":9007199254740992}"#, "session", "bad_session"),
  ]

  @Test(
    "a request that cannot be carried out is refused by name, and the next one is answered",
    arguments: refused)
  func refusals(_ request: String, _ type: String, _ code: String) {
    var options = JSONProtocolOptions()
    options.keyBytesMax = 4
    options.namespaceBytesMax = 7
    options.valueBytesMax = 10
    var client = TestClient(options: options)
    client.send(request + "\n" + #"{"type":"put","key":"k\n12","value":"12345678"}"# + "\n")
    let lines = client.takeLines()
    #expect(lines.count == 2)
    #expect(refusal(type, code, in: lines[0]), "\(lines[0])")
    #expect(lines[1] == #"{"type":"put","data":true}"#)
    #expect(!client.connection.isFinished)
    #expect(client.machine.keyspace.count(namespace: Bytes("default".utf8)) == 1)
  }

  static let unreadable: [(bytes: Bytes, code: String)] = [
    (Bytes("x".utf8), "not_an_object"), (Bytes("[1]".utf8), "not_an_object"),
    (Bytes("\"a\"".utf8), "not_an_object"),
    (Bytes("42".utf8), "not_an_object"), ([0xFF], "not_an_object"), ([0], "not_an_object"),
    (Bytes("{]".utf8), "bad_json"), (Bytes("{\"type\":\"put\",}".utf8), "bad_json"),
    (Bytes("{\"a\":\"\u{1}\"}".utf8), "bad_json"), (Bytes("{\"a\":\"".utf8) + [0xC0, 0x80], "bad_json"),
    (Bytes("{\"a\":[[[[".utf8), "too_deep"),
    (Bytes(#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#.utf8), "too_many_fields"),
    (Bytes(("{\"a\":\"" + String(repeating: "x", count: 100)).utf8), "request_too_large"),
  ]

  @Test(
    "bytes that are no request are answered with an error, then the connection closes", arguments: unreadable)
  func unreadableBytes(_ bytes: Bytes, _ code: String) {
    var options = JSONProtocolOptions()
    options.requestBytesMax = 64
    options.nestingMax = 4
    options.fieldsMax = 4
    for size in [1, bytes.count] {
      var client = TestClient(options: options)
      client.send(#"{"type":"ping"}"# + "\n")
      for start in stride(from: 0, to: bytes.count, by: size) {
        client.send(Bytes(bytes[start..<(start + size)]))
      }
      client.send(#"{"type":"ping"}"# + "\n")
      let lines = client.takeLines()
      #expect(lines.count == 2)
      #expect(refusal("error", code, in: lines[1]), "\(lines)")
      #expect(client.connection.isFinished)
    }
  }

  @Test("a malformed request is answered with the byte where it is wrong, counted from its own start")
  func errorPosition() {
    var client = TestClient()
    let answer = client.ask(" {\"type\":\"ping\"}\n  {\"type\":x}")
    #expect(answer.contains("'x' where a value should be at byte 8"), "\(answer)")
  }

  static let failures: [(error: ReplicaError, code: String, outcome: String)] = [
    (.notExecuted(.noLeader), "no_leader", "not_executed"), (.notExecuted(.busy), "busy", "not_executed"),
    (.unknown(.deadline), "deadline", "unknown"), (.unknown(.leadershipLost), "leadership_lost", "unknown"),
  ]

  @Test("what the replica could not do is told with its outcome, and data is false", arguments: failures)
  func failedOperations(_ error: ReplicaError, _ code: String, _ outcome: String) {
    for (type, request) in [
      ("put", #"{"type":"put","key":"k","value":1}"#), ("get", #"{"type":"get","key":"k"}"#),
      ("delete", #"{"type":"delete","key":"k"}"#),
    ] {
      var client = TestClient()
      client.isHolding = true
      client.send(request)
      client.fail(error)
      #expect(
        client.takeLines() == [
          #"{"type":"\#(type)","data":false,"error":{"code":"\#(code)","message":"\#(error.reason.explanation)","#
            + #""outcome":"\#(outcome)"}}"#
        ])
      #expect(client.connection.isFinished)
    }
  }

  @Test("a value of the largest size fits, however the client escapes it")
  func largestValue() {
    var client = TestClient()
    let characters = (1 << 20) / 2 - 1
    let value = "\"" + String(repeating: #"\u00e9"#, count: characters) + "\""
    #expect(
      client.ask(#"{"type":"put","key":"k","value":\#(value)}"# + "\n") == #"{"type":"put","data":true}"#)
    let expected = "\"" + String(repeating: "é", count: characters) + "\""
    #expect(client.ask(#"{"type":"get","key":"k"}"#).hasSuffix(#","value":\#(expected)}}"#))
  }

  @Test("the options are checked as a whole")
  func options() throws {
    #expect(try JSONProtocolOptions().validated() == JSONProtocolOptions())
    var options = JSONProtocolOptions()
    options.keyBytesMax = 0
    options.receiveMillisecondsMax = 0
    #expect(throws: JSONProtocolOptionsError.self) { try options.validated() }
    do {
      _ = try options.validated()
    } catch {
      #expect(error.faults.count == 2)
      #expect(error.description.contains("keyBytesMax is 0; it must be 1 to 1048576"))
    }
  }
}
