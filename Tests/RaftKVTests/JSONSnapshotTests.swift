import RaftCore
import RaftKV
import Testing

@Suite("The JSON protocol: copies of all data")
struct JSONSnapshotTests {
  private func lines(_ requests: String...) -> [String] {
    var client = TestClient()
    for request in requests { client.send(request + "\n") }
    return client.takeLines()
  }

  @Test(
    "pieces come in base 64, from any offset to the end",
    arguments: zip(
      [0, 1, 2, 3, 4, 5, 6, 7, 9],
      ["Zm9vYmFyIQ==", "b29iYXIh", "b2JhciE=", "YmFyIQ==", "YXIh", "ciE=", "IQ==", "", ""]))
  func pieces(_ offset: Int, _ text: String) {
    #expect(
      lines(#"{"type":"snapshot","id":"ab","offset":\#(offset)}"#) == [
        #"{"type":"snapshot","data":{"id":"ab","offset":\#(offset),"bytes":\#(max(0, 7 - offset)),"piece":"\#(text)"}}"#
      ])
  }

  @Test("what is refused is refused by name")
  func refusals() {
    let answers = lines(
      #"{"type":"snapshot"}"#, #"{"type":"snapshot","id":"ac","offset":0}"#,
      #"{"type":"snapshot","id":"nope","offset":0}"#, #"{"type":"snapshot","id":"ab"}"#)
    let codes = ["busy", "no_snapshot", "bad_snapshot", "bad_snapshot"]
    #expect(answers.count == 4)
    for (answer, code) in zip(answers, codes) {
      #expect(answer.hasPrefix(#"{"type":"snapshot","data":false,"error":{"code":"\#(code)""#), "\(answer)")
    }
  }

  @Test("a copy is taken behind the writes before it")
  func order() {
    var client = TestClient()
    client.isHolding = true
    client.send(#"{"type":"put","key":"a","value":1}"# + "\n" + #"{"type":"snapshot"}"# + "\n")
    #expect(client.held.count == 1)
  }
}
