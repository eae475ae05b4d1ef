import ArgumentParser
import Foundation
import RaftStore

/// What all commands that ask a node have in common.
struct NodeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Any node of the cluster.", valueName: "host:port"))
  var ip = "127.0.0.1:5000"

  @Flag(help: "Print the answer as JSON.")
  var json = false

  @Option(help: ArgumentHelp("How long to wait for an answer.", valueName: "seconds"))
  var patience = 15

  func ask(_ request: [String: Any]) throws -> NodeReply {
    try NodeLink.ask(request, at: ip, seconds: patience)
  }

  /// Prints an answer: the line itself, or words.
  func show(_ reply: NodeReply, _ words: @autoclosure () -> String) {
    print(json ? reply.text : words())
  }
}

/// A command that asks a node. Its failures are one line on standard error, and a status that tells whose they are.
protocol OperatorCommand: ParsableCommand {
  func perform() throws
}

extension OperatorCommand {
  func run() throws {
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

extension NodeError {
  var status: ExitStatus {
    switch self {
    case .unreachable, .unreadable: .unavailable
    case .refused: .refused
    }
  }
}

/// Reads a key.
struct GetCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Print the value of a key, as JSON; status 1 if there is none.")

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Argument(help: "The key.") var key: String

  func perform() throws {
    let reply = try node.ask(["type": "get", "key": key, "namespace": namespace])
    let value = (reply.fields["data"] as? [String: Any])?["value"] ?? NSNull()
    let bytes = try JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])
    node.show(reply, String(decoding: bytes, as: UTF8.self))
    if value is NSNull { throw ArgumentParser.ExitCode(1) }
  }
}

/// Writes a key.
struct PutCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "put", abstract: "Set the value of a key: JSON, or else a string.")

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Argument(help: "The key.") var key: String
  @Argument(help: "The value.") var value: String

  func perform() throws {
    let parsed = try? JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    let reply = try node.ask([
      "type": "put", "key": key, "namespace": namespace, "value": parsed ?? value,
    ])
    node.show(reply, "done")
  }
}

/// Removes a key.
struct DeleteCommand: OperatorCommand {
  static let configuration = CommandConfiguration(commandName: "delete", abstract: "Remove a key.")

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Argument(help: "The key.") var key: String

  func perform() throws {
    node.show(try node.ask(["type": "delete", "key": key, "namespace": namespace]), "done")
  }
}

/// Hands leadership over.
struct TransferCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer", abstract: "Hand leadership to another member.")

  @OptionGroup var node: NodeOptions
  @Argument(help: "Address or id of the member; whoever is best placed by default.") var member: String?

  func perform() throws {
    var request = ["type": "transfer"]
    request["addr"] = member
    node.show(try node.ask(request), "leadership is being handed over; see raftnode status")
  }
}
