import ArgumentParser
import Dispatch
import Glibc

/// The command line. Subcommands stand beside `run`, which is meant when none is named.
struct Raftnode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "raftnode",
    abstract: "A node of a replicated, namespaced key-value store.",
    version: "0.1.0",
    subcommands: [Run.self],
    defaultSubcommand: Run.self)
}

/// How the program ends; the numbers are those of `sysexits.h`.
enum ExitStatus: Int32 {
  /// Stopped by SIGTERM or SIGINT.
  case stopped = 0
  /// The options are wrong or contradict each other.
  case usage = 64
  /// The address cannot be listened on.
  case unavailable = 69
  /// The store failed.
  case storeFailed = 74
  /// The peers form a running cluster that this node is no member of.
  case notAMember = 77
}

@main
enum Main {
  static func main() {
    // A client that goes away while it is written to is no reason to die.
    signal(SIGPIPE, SIG_IGN)
    let command: any ParsableCommand
    do {
      command = try Raftnode.parseAsRoot(
        OriginalSpelling.translated(Array(CommandLine.arguments.dropFirst())))
    } catch {
      end(with: error)
    }
    guard let run = command as? Run else {
      var command = command
      do { try command.run() } catch { end(with: error) }
      exit(ExitStatus.stopped.rawValue)
    }
    do {
      let settings = try NodeSettings(run)
      Task {
        exit(await NodeProcess(settings).run().rawValue)
      }
      dispatchMain()
    } catch {
      fail("\(error)", .usage)
    }
  }

  /// Help goes out as it is; everything that is wrong is one line.
  private static func end(with error: any Error) -> Never {
    guard Raftnode.exitCode(for: error).isSuccess else {
      let lines = Raftnode.message(for: error).split(whereSeparator: \.isNewline)
      fail(lines.joined(separator: " "), .usage)
    }
    print(Raftnode.fullMessage(for: error))
    exit(ExitStatus.stopped.rawValue)
  }

  /// Says in one line why the program ends.
  static func fail(_ reason: String, _ status: ExitStatus) -> Never {
    var line = "raftnode: \(reason)\n"
    if status == .usage { line = "raftnode: \(reason) (see raftnode --help)\n" }
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(status.rawValue)
  }
}

/// The original program took `-d` as a flag, and an older text of its documentation wrote `--store database --database
/// NAME`. The name never meant anything; a word behind `--database` is read as one, so that both spellings work.
enum OriginalSpelling {
  static func translated(_ arguments: [String]) -> [String] {
    var translated: [String] = []
    var position = 0
    while position < arguments.count {
      translated.append(arguments[position])
      if arguments[position] == "--database", position + 1 < arguments.count,
        !arguments[position + 1].hasPrefix("-")
      {
        position += 1
        translated.append("--database-name=\(arguments[position])")
      }
      position += 1
    }
    return translated
  }
}
