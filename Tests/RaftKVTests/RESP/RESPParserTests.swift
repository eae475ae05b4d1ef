import RaftCore
import Testing

@testable import RaftKV

private func bytes(_ text: String) -> Bytes { Bytes(text.utf8) }

@Suite("Requests of Redis clients")
struct RESPParserTests {
  private func parse(_ pieces: [Bytes]) -> (requests: [[String]], error: String?) {
    var parser = RESPParser(wordBytesMax: 1 << 20)
    var requests: [[String]] = []
    for piece in pieces {
      parser.append(piece)
      do throws(RESPProtocolError) {
        while let request = try parser.next() {
          requests.append(request.map { String(decoding: $0, as: UTF8.self) })
        }
      } catch {
        return (requests, error.text)
      }
    }
    return (requests, nil)
  }

  private static let text =
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\nGET \"a b\\x41\\n\" 'it''s'\r\n\r\n*0\r\n*-1\r\n*1\r\n$0\r\n\r\nPING\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"

  @Test("arrays and lines give the same requests however they are cut")
  func pieces() {
    let whole = bytes(Self.text.replacing("'it''s'", with: "'it\\'s'"))
    let wanted = [["SET", "k", "\r\n\r\n"], ["GET", "a bA\n", "it's"], [""], ["PING"], ["ECHO", "hi"]]
    #expect(parse([whole]).requests == wanted)
    #expect(parse(whole.map { [$0] }).requests == wanted)
    for cut in 1..<whole.count {
      let result = parse([Bytes(whole[..<cut]), Bytes(whole[cut...])])
      #expect(result.requests == wanted, "cut at \(cut)")
      #expect(result.error == nil)
    }
  }

  @Test(
    "what is no request is told as Redis tells it",
    arguments: [
      ("*1\r\n:5\r\n", "expected '$', got ':'"), ("*x\r\n", "invalid multibulk length"),
      ("*1048577\r\n", "invalid multibulk length"), ("*1\r\n$-1\r\n", "invalid bulk length"),
      ("*1\r\n$9999999999\r\n", "invalid bulk length"), ("*1\r\n$1048577\r\n", "invalid bulk length"),
      ("GET \"a\r\n", "unbalanced quotes in request"), ("GET \"a\"b\r\n", "unbalanced quotes in request"),
    ])
  func errors(text: String, error: String) {
    let result = parse([bytes("PING\r\n" + text)])
    #expect(result.requests == [["PING"]])
    #expect(result.error == "ERR Protocol error: \(error)")
  }

  @Test("lines without an end are not kept for ever, and announced lengths take no memory")
  func bounds() {
    #expect(
      parse([Bytes(repeating: 0x61, count: 70_000)]).error == "ERR Protocol error: too big inline request")
    #expect(
      parse([bytes("*") + Bytes(repeating: 0x31, count: 70_000)]).error
        == "ERR Protocol error: too big mbulk count string")
    var parser = RESPParser(wordBytesMax: 1 << 30)
    parser.append(bytes("*1000000\r\n$1000000\r\nabc"))
    #expect((try? parser.next()) == .some(nil))
    #expect(parser.heldBytes < 100)
  }

  @Test("random bytes lead to requests or an error, never to anything else", arguments: 1...20)
  func noise(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let words = [
      "*", "$", "1", "3", "-", "\r\n", "\n", "\"", "'", "\\", "GET", " ", "\u{0}", "k", "99999999999",
    ]
    for _ in 0..<200 {
      let text = (0..<Int.random(in: 1...40, using: &random)).map { _ in
        words.randomElement(using: &random) ?? ""
      }
      let result = parse([bytes(text.joined())])
      #expect(result.requests.allSatisfy { !$0.isEmpty })
    }
  }

  @Test("answers are written in the form of the version that was chosen")
  func answers() {
    let reply = Reply.array([
      .null, .nullArray, .ok, .error("ERR no"), .integer(-5), .double("1.5"), .bulk("a\r\nb"),
      .map([.init(.bulk("k"), .integer(1))]), .set([.status("x")]), .boolean(true),
      .verbatim(format: "txt", text: bytes("t")),
    ])
    var writer = RESPWriter()
    writer.write(reply)
    #expect(
      String(decoding: writer.take(), as: UTF8.self)
        == "*11\r\n$-1\r\n*-1\r\n+OK\r\n-ERR no\r\n:-5\r\n$3\r\n1.5\r\n$4\r\na\r\nb\r\n*2\r\n$1\r\nk\r\n:1\r\n*1\r\n+x\r\n:1\r\n$1\r\nt\r\n"
    )
    writer.version = 3
    writer.write(reply)
    #expect(
      String(decoding: writer.take(), as: UTF8.self)
        == "*11\r\n_\r\n_\r\n+OK\r\n-ERR no\r\n:-5\r\n,1.5\r\n$4\r\na\r\nb\r\n%1\r\n$1\r\nk\r\n:1\r\n~1\r\n+x\r\n#t\r\n=5\r\ntxt:t\r\n"
    )
  }
}
