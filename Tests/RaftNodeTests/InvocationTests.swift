import Logging
import RaftCore
import RaftKV
import RaftServer
import RaftTransport
import Testing

@testable import raftnode

/// The plan that a command line comes to; fails the test if it comes to none.
func plan(_ arguments: String...) throws -> LaunchPlan {
  guard case .run(let plan) = Invocation(arguments) else {
    throw NoPlan(outcome: "\(Invocation(arguments))")
  }
  return plan
}

struct NoPlan: Error {
  let outcome: String
}

/// The line with which a command line is refused; nil if it is not.
func refusal(_ arguments: String...) -> String? {
  guard case .refuse(let line) = Invocation(arguments) else { return nil }
  return line
}

@Suite("The command line of the original works")
struct OriginalCommandLineTests {
  @Test("an address alone is a cluster of one, with the documented defaults")
  func defaults() throws {
    let plan = try plan("--ip", "127.0.0.1:5000")
    #expect(plan.address.description == "127.0.0.1:5000")
    #expect(plan.peers.isEmpty)
    #expect(plan.volume == "./data")
    #expect(plan.unreachableMilliseconds == 1_000)
    #expect(plan.requestMilliseconds == 10_000)
    #expect(plan.valueBytesMax == 1 << 20)
    #expect(plan.clientsMax == 10_000)
    #expect(plan.logLevel == .info)
  }

  @Test("peers are separated by commas, and the own address among them is tolerated")
  func peers() throws {
    let plan = try plan(
      "--ip", "10.0.0.1:5000", "--peers", "10.0.0.1:5000,10.0.0.2:5000, node-3.local:5000,[::1]:7")
    #expect(plan.peers.map(\.description) == ["10.0.0.2:5000", "node-3.local:5000", "[::1]:7"])
  }

  @Test("both forms of each option are the same, with a blank or an equals sign")
  func shortAndLong() throws {
    let long = try plan("--ip", "h:1", "--timeout", "0.25", "--volume", "/tmp/d", "--store", "memory")
    #expect(try plan("--ip=h:1", "-t", "0.25", "-v", "/tmp/d") == long)
    #expect(try plan("run", "-t=0.25", "--ip=h:1", "-v=/tmp/d", "--store=memory") == long)
    #expect(long.unreachableMilliseconds == 250)
  }

  @Test(
    "every spelling of the database store is understood",
    arguments: [
      ["--store", "database"], ["--store=database"], ["-d"], ["--database"], ["--store", "database", "-d"],
      ["--store", "database", "--database"], ["--store", "database", "--database", "name"],
      ["--store", "database", "--database=name"], ["--store", "database", "--volume", "./data"],
      ["-d", "--volume", "./data"],
    ])
  func database(_ spelling: [String]) throws {
    let plan = try plan("--ip", "h:1", "-d")
    #expect(plan.store == .durable)
    #expect(plan.isSynced)
    #expect(Invocation(["--ip", "h:1"] + spelling) == .run(plan))
    #expect(Invocation(spelling + ["--ip", "h:1"]) == .run(plan))
  }

  @Test(
    "what only a database has is refused for the memory store",
    arguments: [["--no-sync"], ["--cache-bytes", "1048576"], ["--write-buffer-bytes", "1048576"]])
  func databaseOptions(_ option: [String]) throws {
    guard case .refuse(let line) = Invocation(["--ip", "h:1"] + option) else {
      Issue.record("\(option) is not refused")
      return
    }
    #expect(line.contains("\(option[0]) has a meaning only with --store database"))
    guard case .run = Invocation(["--ip", "h:1", "-d"] + option) else {
      Issue.record("\(option) is refused with -d")
      return
    }
  }
}

@Suite("Times and sizes")
struct OptionValueTests {
  @Test(
    "seconds are written with decimals or without",
    arguments: [("1", 1_000), ("0.5", 500), (".5", 500), ("2.", 2_000), ("0.0109", 10), ("3600", 3_600_000)])
  func seconds(_ text: String, _ milliseconds: Int) throws {
    #expect(try plan("--ip", "h:1", "--timeout", text).unreachableMilliseconds == milliseconds)
  }

  @Test(
    "what is no time in the range is refused, with the range",
    arguments: [
      "0", "0.009", "3600.001", "-1", "1e3", "inf", "nan", "0x1", "1,5", ".", " 1", "1s",
      "99999999999999999999",
    ])
  func badSeconds(_ text: String) {
    #expect(
      refusal("--ip", "h:1", "--timeout=\(text)")
        == "raftnode: --timeout is '\(text)'; it must be 0.01 to 3600 seconds (see raftnode --help)")
  }

  @Test(
    "sizes and counts are whole numbers in their range",
    arguments: ["0", "-1", "1.5", "16777217", "1k", "+5"])
  func badSize(_ text: String) {
    #expect(refusal("--ip", "h:1", "--value-bytes-max=\(text)")?.contains("1 to 16777216 bytes") == true)
  }

  @Test("the largest request follows the largest value, unless it is named")
  func requestFollowsValue() throws {
    #expect(try plan("--ip", "h:1").requestBytesMax == 4 << 20)
    #expect(try plan("--ip", "h:1", "--value-bytes-max", "16777216").requestBytesMax == 64 << 20)
    #expect(try plan("--ip", "h:1", "--request-bytes-max", "2000000").requestBytesMax == 2_000_000)
  }

  @Test("a largest request without room for the largest value is a contradiction")
  func noRoom() {
    #expect(refusal("--ip", "h:1", "--request-bytes-max", "1048576")?.contains("leaves no room") == true)
  }

  @Test(
    "every plan at the ends of the ranges gives sound options",
    arguments: [
      ["--value-bytes-max", "1", "--key-bytes-max", "1"],
      ["--value-bytes-max", "16777216", "--key-bytes-max", "1048576", "--request-bytes-max", "134217728"],
      ["--election-timeout", "0.1"], ["--election-timeout", "60"], ["--election-timeout", "0.109"],
      ["--timeout", "0.01"], ["--timeout", "3600"], ["--request-timeout", "0.01"],
      ["--request-timeout", "3600"], ["--log-bytes-max", "67108864"], ["--log-bytes-max", "1099511627776"],
      ["--max-clients", "1"], ["--max-clients", "1000000"],
    ])
  func soundOptions(_ options: [String]) throws {
    guard case .run(let plan) = Invocation(["--ip", "h:1"] + options) else {
      Issue.record("\(options) is refused")
      return
    }
    _ = try plan.replicaOptions.validated()
    _ = try plan.clientOptions.validated()
  }
}

@Suite("Wrong options")
struct RefusalTests {
  @Test(
    "a refusal is one line that names the option and where to read on",
    arguments: [
      ([], "--ip is missing"),
      (["--peers", "a:1"], "--ip is missing"),
      (["--ip"], "--ip"),
      (["--ip", "nonsense"], "--ip: 'nonsense' names no port"),
      (["--ip", "h:0"], "--ip: '0' is no port"),
      (["--ip", "h:65536"], "--ip: '65536' is no port"),
      (["--ip", "999.0.0.1:5"], "--ip: '999.0.0.1' is no host"),
      (["--ip", "h:1", "--peers", "a"], "--peers: 'a' names no port"),
      (["--ip", "h:1", "--peers", "a:1,,b:1"], "--peers 'a:1,,b:1' has an empty place"),
      (["--ip", "h:1", "--peers", ""], "--peers '' has an empty place"),
      (["--ip", "h:1", "--peers", "a:1,a:1"], "--peers names a:1 twice"),
      (["--ip", "h:1", "--peers", "a:1", "b:1"], "Unexpected argument 'b:1'"),
      (["--ip", "0.0.0.0:1", "--peers", "a:1"], "--ip 0.0.0.0:1 is no address that peers can dial"),
      (["--ip", "h:1", "--ip", "i:1"], "--ip is given more than once"),
      (["--ip", "h:1", "-t", "1", "--timeout", "2"], "--timeout is given more than once"),
      (["--ip", "h:1", "--store", "disk"], "--store is 'disk'; it must be memory or database"),
      (["--ip", "h:1", "--store", "memory", "-d"], "--store memory and -d contradict each other"),
      (
        ["--ip", "h:1", "--store", "memory", "--database"],
        "--store memory and --database contradict each other"
      ),
      (
        ["--ip", "h:1", "--database", "name"],
        "--database takes a name ('name') only together with --store database"
      ),
      (["--ip", "h:1", "-d", "name"], "Unexpected argument 'name'"),
      (["--ip", "h:1", "--volume", ""], "--volume is empty"),
      (
        ["--ip", "h:1", "--log-level", "loud"], "--log-level is 'loud'; it must be one of trace, debug, info"
      ),
      (["--ip", "h:1", "--timeout="], "Missing value for '--timeout <seconds>'"),
      (["--ip", "h:1", "--frobnicate"], "Unknown option '--frobnicate'"),
      (
        ["--ip", "h:1", "--max-clients", "none"],
        "--max-clients is 'none'; it must be 1 to 1000000 connections"
      ),
    ])
  func oneLine(_ arguments: [String], _ part: String) {
    guard case .refuse(let line) = Invocation(arguments) else {
      Issue.record("\(arguments) is not refused")
      return
    }
    #expect(line.hasPrefix("raftnode: "))
    #expect(line.contains(part))
    #expect(!line.contains("\n"))
    #expect(line.hasSuffix("(see raftnode --help)"))
  }

  @Test("more than 63 other nodes are refused")
  func tooManyPeers() {
    let peers = (1...64).map { "10.0.0.\($0):5000" }.joined(separator: ",")
    #expect(refusal("--ip", "10.0.1.1:5000", "--peers", peers)?.contains("at most 64") == true)
  }
}

@Suite("Help")
struct HelpTests {
  @Test(
    "every way to ask for help shows all options, examples and exit statuses",
    arguments: [
      ["--help"], ["-h"], ["help"], ["run", "--help"], ["help", "run"], ["--ip", "h:1", "--help"],
    ])
  func help(_ arguments: [String]) {
    guard case .print(let text) = Invocation(arguments) else {
      Issue.record("\(arguments) prints no help")
      return
    }
    for option in [
      "--ip <host:port>", "--peers", "--store", "-d", "--database", "-v, --volume", "-t, --timeout",
      "--log-level",
      "--election-timeout", "--request-timeout", "--key-bytes-max", "--value-bytes-max",
      "--request-bytes-max",
      "--max-clients", "--log-bytes-max", "EXAMPLES", "EXIT STATUS",
    ] {
      #expect(text.contains(option), "the help does not name \(option)")
    }
    for status in ExitStatus.allCases { #expect(text.contains("\(status.rawValue)")) }
  }

  @Test("the version is one line")
  func version() {
    #expect(Invocation(["--version"]) == .print("raftnode 0.2.0"))
  }
}
