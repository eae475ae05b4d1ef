import ArgumentParser
import Foundation
import RaftStore
import RaftTransport

/// What all commands that ask a node have in common.
struct NodeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Any node of the cluster, or several, separated by commas: the first one that answers is asked.",
      valueName: "host:port,..."))
  var ip = "127.0.0.1:5000"

  @Flag(help: "Print the answer as one JSON object.")
  var json = false

  @Option(help: ArgumentHelp("How long to wait for an answer; 1 to 86400.", valueName: "seconds"))
  var patience = 15

  func validate() throws { try NodeAddresses.validate(ip, patience) }

  var addresses: [String] { NodeAddresses.list(ip) }

  func ask(_ request: NodeRequest, isRepeatable: Bool = true) throws(NodeError) -> NodeReply {
    try NodeLink.ask(request, anyOf: addresses, seconds: patience, isRepeatable: isRepeatable)
  }

  /// Prints an answer: the line itself, or words.
  func show(_ reply: NodeReply, _ words: @autoclosure () -> String) {
    print(json ? reply.text : words())
  }
}

/// Addresses as they are written behind `--ip`.
enum NodeAddresses {
  static func list(_ text: String) -> [String] {
    text.split(separator: ",", omittingEmptySubsequences: false).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
  }

  static func validate(_ ip: String, _ patience: Int) throws {
    for address in list(ip) {
      do { _ = try Endpoint(address) } catch { throw ValidationError("--ip: \(error)") }
    }
    guard (1...86_400).contains(patience) else {
      throw ValidationError("--patience is '\(patience)'; it must be 1 to 86400 seconds")
    }
  }
}

/// A command that asks a node, or looks at what one has stored. Its failures are one line on standard error, and a status
/// that tells whose they are.
protocol OperatorCommand: ParsableCommand {
  func perform() throws
}

extension OperatorCommand {
  func run() throws {
    // A reader of the output that goes away ends the command as it ends any other.
    signal(SIGPIPE, SIG_DFL)
    do {
      try perform()
    } catch let error as NodeError {
      StandardError.write("raftnode: \(error)")
      throw ArgumentParser.ExitCode(error.status.rawValue)
    } catch let refusal as VolumeRefusal {
      StandardError.write("raftnode: \(refusal)")
      throw ArgumentParser.ExitCode(refusal.status.rawValue)
    } catch let status as ArgumentParser.ExitCode {
      throw status
    } catch {
      StandardError.write("raftnode: \(error)")
      throw ArgumentParser.ExitCode(ExitStatus.usage.rawValue)
    }
  }
}

/// Values as one JSON object on one line.
enum JSONLine {
  static func text(_ object: [String: Any]) throws -> String {
    let bytes = try JSONSerialization.data(
      withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Lines in columns.
struct TextTable {
  let text: String

  init(_ head: [String], _ rows: [[String]]) {
    let lines = [head] + rows
    let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    text = lines.map { line in
      zip(line, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        .joined(separator: "  ").trimmingCharacters(in: .whitespaces)
    }.joined(separator: "\n")
  }
}

/// Hands leadership over.
struct TransferCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer", abstract: "Hand leadership to another member.",
    discussion: "It takes a moment: raftnode status shows who leads.")

  @OptionGroup var node: NodeOptions
  @Argument(help: "Address or id of the member; whoever is best placed by default.") var member: String?

  func perform() throws {
    let request = NodeRequest("transfer", [("addr", member)])
    node.show(try node.ask(request), "leadership is being handed over; see raftnode status")
  }
}
