import RaftCore
import RaftServer
import Testing

@testable import RaftKV

private func bytes(_ text: String) -> Bytes { Bytes(text.utf8) }

@Suite("A connection of a Redis client")
struct RESPConnectionTests {
  /// A connection to a machine that answers when it is told to.
  private struct Client {
    var connection = RESPConnection(id: 7)
    var machine = TestMachine(backend: SortedBackend())
    var index: UInt64 = 0
    var steps: [RESPConnection.Step] = []
    /// The most bytes that were let out at once.
    var largestPiece = 0

    /// Sends lines, carries out what they lead to, and returns what is answered.
    mutating func send(_ text: String) -> String {
      connection.received(bytes(text.replacing("\n", with: "\r\n")))
      var output: Bytes = []
      while true {
        let step = connection.next { RESPFacts() }
        let piece = connection.takeOutput()
        largestPiece = max(largestPiece, piece.count)
        output += piece
        if let step {
          steps.append(step)
          answer(step)
        } else if piece.isEmpty {
          return String(decoding: output, as: UTF8.self).replacing("\r\n", with: "|")
        }
      }
    }

    private mutating func answer(_ step: RESPConnection.Step) {
      index += 1
      let context = ApplyContext(logIndex: LogIndex(index), time: 1_000)
      switch step {
      case .write(let calls):
        connection.answer(.success(machine.apply(.run(calls), at: context)), count: calls.count)
      case .transaction(let calls, let watched):
        connection.answer(.success(machine.apply(.run(calls, watched: watched), at: context)), count: 1)
      case .read(let calls):
        guard case .replies(let replies) = machine.read(.run(calls)) else { return }
        connection.answer(.success(.replies(replies)), count: calls.count)
      case .watch(let keys):
        guard case .versions(let versions) = machine.read(.versions(keys)) else { return }
        connection.answer(versions: .success(versions))
      case .namespaces:
        guard case .namespaces(let names) = machine.read(.namespaces) else { return }
        connection.answer(namespaces: .success(names))
      }
    }
  }

  @Test("answers in order, and carries out together what follows each other")
  func groups() {
    var client = Client()
    #expect(
      client.send("SET a 1\nINCR a\nGET a\nGET b\nPING\nSET b x\nNOSUCH\nGET b\n")
        == "+OK|:2|$1|2|$-1|+PONG|+OK|-ERR unknown command 'NOSUCH', with args beginning with: |$1|x|")
    let sizes = client.steps.map { step in
      switch step {
      case .write(let calls): "w\(calls.count)"
      case .read(let calls): "r\(calls.count)"
      default: "?"
      }
    }
    #expect(sizes == ["w2", "r2", "w1", "r1"])
  }

  @Test("transactions run at once, with what was answered beside, or not at all")
  func transactions() {
    var client = Client()
    #expect(
      client.send("MULTI\nSET a 1\nPING\nINCR a\nEXEC\n") == "+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|+PONG|:2|")
    #expect(
      client.send("MULTI\nMULTI\nWATCH a\nDISCARD\nDISCARD\nEXEC\n").contains(
        "-ERR MULTI calls can not be nested|-ERR WATCH inside MULTI is not allowed|+OK|-ERR DISCARD without MULTI|-ERR EXEC without MULTI|"
      ))
    #expect(
      client.send("MULTI\nSET a\nSET a 5\nEXEC\nGET a\n")
        == "+OK|-ERR wrong number of arguments for 'set' command|+QUEUED|-EXECABORT Transaction discarded because of previous errors.|$1|2|"
    )
    #expect(client.send("WATCH a b\nMULTI\nSET a 3\nEXEC\n") == "+OK|+OK|+QUEUED|*1|+OK|")
    // Its own write spoils a watch, as anybody's does.
    #expect(client.send("WATCH a\nSET a 4\nMULTI\nSET a 5\nEXEC\nGET a\n") == "+OK|+OK|+OK|+QUEUED|*-1|$1|4|")
    #expect(
      client.send("WATCH a\nSET a 6\nUNWATCH\nMULTI\nSET a 7\nEXEC\n") == "+OK|+OK|+OK|+OK|+QUEUED|*1|+OK|")
    #expect(
      client.send("SELECT 2\nMULTI\nSET a other\nSELECT 0\nGET a\nEXEC\n")
        == "+OK|+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|+OK|$1|7|")
  }

  @Test("what a transaction sets on the connection is set when it runs, and only if it does")
  func settingInTransactions() {
    var client = Client()
    #expect(client.send("MULTI\nSELECT 1\nDISCARD\nSET k v\nSELECT 0\nGET k\n").hasSuffix("+OK|+OK|$1|v|"))
    #expect(client.send("WATCH k\nSET k w\nMULTI\nSELECT 1\nEXEC\nGET k\n").hasSuffix("+QUEUED|*-1|$1|w|"))
    // Inside, a watch cannot be taken back: it is judged when the transaction begins.
    #expect(client.send("WATCH k\nSET k x\nMULTI\nUNWATCH\nEXEC\n").hasSuffix("+QUEUED|*-1|"))
    #expect(client.send("MULTI\nHELLO 3\nGET none\nDISCARD\nGET none\n").hasSuffix("+OK|$-1|"))
    #expect(client.send("MULTI\nGET none\nHELLO 3\nGET none\nEXEC\nGET none\n").hasSuffix("*0|_|_|"))
    #expect(client.send("MULTI\nCLIENT KILL ID 7 SKIPME no\nDISCARD\nPING\n").hasSuffix("+OK|+PONG|"))
    #expect(
      client.send("MULTI\nEXEC now\nEXEC\n").hasSuffix(
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|"
          + "-ERR EXEC without MULTI|"))
  }

  @Test("an error that names what a client sent is one answer")
  func injection() {
    var client = Client()
    let request = "*4\n$6\nEXPIRE\n$1\nk\n$1\n1\n$9\na\n+OK\nb\nPING\n"
    #expect(client.send(request) == "-ERR Unsupported option a  +OK  b|+PONG|")
  }

  @Test("a client can ask for silence")
  func silence() {
    var client = Client()
    #expect(client.send("CLIENT REPLY OFF\nSET a 1\nGET a\nCLIENT REPLY ON\nGET a\n") == "+OK|$1|1|")
    #expect(client.send("CLIENT REPLY SKIP\nSET a 2\nGET a\n") == "$1|2|")
  }

  @Test("reads that answer much are carried out in steps; the answers are the same")
  func largeAnswers() {
    var client = Client()
    let value = String(repeating: "v", count: 1 << 20)
    #expect(client.send("*3\n$3\nSET\n$1\nk\n$\(value.count)\n\(value)\n") == "+OK|")
    client.steps = []
    let answer = client.send(String(repeating: "GET k\n", count: 40))
    #expect(answer.utf8.count == 40 * (value.count + 10))
    #expect(client.steps.count == 10)
    // Never more than what one step reads, and the answer that goes beyond it.
    #expect(client.largestPiece <= AnswerLimit.readBytes + value.count + 1_000)
    // So it is with what the connection answers itself.
    let words = String(repeating: "x", count: 1_000)
    #expect(client.send(String(repeating: "ECHO \(words)\n", count: 4_000)).utf8.count == 4_000 * 1_007)
    #expect(client.largestPiece <= AnswerLimit.readBytes + value.count + 1_000)
  }

  @Test("what one entry answers is limited; all of it has run")
  func largeTransactions() {
    var client = Client()
    let value = String(repeating: "v", count: 1 << 20)
    _ = client.send("*3\n$3\nSET\n$1\nk\n$\(value.count)\n\(value)\n")
    let answer = client.send(
      "MULTI\n" + String(repeating: "GET k\n", count: 12) + "SET done 1\nEXEC\nGET done\n")
    #expect(answer.utf8.count <= AnswerLimit.entryBytes + 2_000)
    #expect(answer.contains("-ERR done, but what was answered together would have more than"))
    #expect(answer.hasSuffix("+OK|$1|1|"))
    #expect(
      client.send("*41\n$4\nMGET\n" + String(repeating: "$1\nk\n", count: 40))
        == "-ERR the answer would have more than 33554432 bytes|")
    // Commands that answer old values are not gathered into one entry that would answer too much.
    client.steps = []
    #expect(client.send(String(repeating: "GETSET k x\n", count: 30)).hasSuffix("$1|x|"))
    #expect(client.steps.count == 5)
  }

  @Test("a few bytes make no long value")
  func shortRequestsForLongValues() {
    var client = Client()
    #expect(
      client.send("SETRANGE k 1048576 x\nSETRANGE k 1048575 x\nSETBIT k 8388608 1\nSETBIT k 8388607 1\n")
        == "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|:1048576|"
        + "-ERR bit offset is not an integer or out of range|:0|")
    #expect(client.send("SETRANGE k 9223372036854775807 x\n").hasPrefix("-ERR string exceeds"))
  }

  @Test("databases are namespaces")
  func databases() {
    var client = Client()
    #expect(
      client.send("SET k 0\nSELECT 1\nGET k\nSET k 1\nSELECT shop\nSET k s\nSELECT 16\nSELECT 0\nGET k\n")
        == "+OK|+OK|$-1|+OK|+OK|+OK|-ERR DB index is out of range|+OK|$1|0|")
    #expect(client.send("NAMESPACES\n") == "*3|$1|1|$7|default|$4|shop|")
  }

  @Test("a client that says how it wants to be spoken to")
  func hello() {
    var client = Client()
    #expect(
      client.send("GET none\nHELLO 3\nGET none\nHELLO 4\nHELLO x\n").hasPrefix("$-1|%7|$6|server|$5|redis|"))
    #expect(
      client.send("GET none\nCLIENT ID\nCLIENT GETNAME\nCLIENT SETNAME me\nCLIENT GETNAME\n")
        == "_|:7|_|+OK|$2|me|")
    #expect(client.send("RESET\nGET none\nCLIENT GETNAME\n") == "+RESET|$-1|$-1|")
    #expect(client.send("QUIT\nPING\n") == "+OK|")
    #expect(client.connection.isFinished)
  }

  @Test("errors of the cluster say whether something may have been done")
  func failures() {
    var client = Client()
    client.connection.received(bytes("SET a 1\r\nSET b 1\r\nGET a\r\n"))
    #expect(client.connection.next { RESPFacts() } != nil)
    client.connection.answer(.failure(.unknown(.leadershipLost)), count: 2)
    #expect(client.connection.next { RESPFacts() } != nil)
    client.connection.answer(.failure(.notExecuted(.noLeader)), count: 1)
    let lines = String(decoding: client.connection.takeOutput(), as: UTF8.self).split(separator: "\r\n")
    #expect(lines.map { $0.prefix(9) } == ["-UNKNOWN ", "-UNKNOWN ", "-TRYAGAIN"])
  }

  @Test("keys and values over the limits are refused, and the connection goes on")
  func limits() {
    var client = Client()
    let (key, value) = (String(repeating: "k", count: 5_000), String(repeating: "v", count: 1 << 20 + 1))
    #expect(
      client.send("GET \(key)\nPING\n") == "-ERR key is too long (5000 bytes; the limit is 4096)|+PONG|")
    let long = "*3\n$3\nSET\n$1\nk\n$\(value.utf8.count)\n\(value)\nPING\n"
    #expect(client.send(long).hasPrefix("-ERR string exceeds maximum allowed size"))
  }
}
