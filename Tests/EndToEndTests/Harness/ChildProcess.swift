import Foundation
import Synchronization

/// How a process ended.
enum ProcessEnd: Hashable, Sendable {
  case exited(Int32)
  case killed(signal: Int32)
}

/// A program that a test started. It is gone, at the latest, when this is.
final class ChildProcess: Sendable {
  let processID: pid_t
  /// Holds what it prints, and is where it runs.
  private let directory: URL
  private let ending = Ending()

  /// Guards the process id as well: it is given to another process once the end has been taken.
  private final class Ending: @unchecked Sendable {
    let condition = NSCondition()
    var end: ProcessEnd?
  }

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - executable: Its path, or its name if it is to be looked for in `PATH`.
  ///   - arguments: Without its name.
  ///   - environment: Variables besides those of the test.
  init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("raftnode-test-\(getpid())-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_APPEND
    try FileActions.changeDirectory(&actions, to: directory.path)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(
      &actions, 1, directory.appendingPathComponent("output").path, flags, 0o600)
    posix_spawn_file_actions_addopen(
      &actions, 2, directory.appendingPathComponent("errors").path, flags, 0o600)
    // A socket that a test has open must not live on in the process: closing it would no longer end its connection.
    try FileActions.close(&actions, from: 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var argv = ([executable] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
    defer { for variable in envp { free(variable) } }
    var processID: pid_t = 0
    let status = posix_spawnp(&processID, executable, &actions, &attributes, &argv, &envp)
    guard status == 0 else {
      try? FileManager.default.removeItem(at: directory)
      throw SocketFailure("start \(executable)", status)
    }
    self.processID = processID
    Thread.detachNewThread { [ending, processID] in Self.awaitEnd(of: processID, ending) }
  }

  deinit {
    send(SIGKILL)
    _ = try? awaitEnd()
    try? FileManager.default.removeItem(at: directory)
  }

  private static func awaitEnd(of processID: pid_t, _ ending: Ending) {
    var information = siginfo_t()
    while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    ending.condition.lock()
    var status: Int32 = 0
    waitpid(processID, &status, 0)
    ending.end = status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: status & 0x7F)
    ending.condition.broadcast()
    ending.condition.unlock()
  }

  /// Sends a signal, if the process has not ended. After SIGSTOP it returns when the process has stopped: one thread
  /// takes the signal and then stops the others, which go on until then, for milliseconds on a busy machine.
  func send(_ signal: Int32) {
    ending.condition.lock()
    defer { ending.condition.unlock() }
    guard ending.end == nil else { return }
    kill(processID, signal)
    guard signal == SIGSTOP else { return }
    for _ in 0..<2_000 where !hasStopped { usleep(1_000) }
  }

  /// Whether every thread of the process stands still.
  private var hasStopped: Bool {
    let tasks = "/proc/\(processID)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return threads.allSatisfy { thread in
      let line = (try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)) ?? ""
      return line.split(separator: ")").last?.split(separator: " ").first == "T"
    }
  }

  /// How it has ended; nil while it runs.
  var end: ProcessEnd? {
    ending.condition.lock()
    defer { ending.condition.unlock() }
    return ending.end
  }

  /// Waits until it has ended.
  @discardableResult
  func awaitEnd(within seconds: Double = 30) throws -> ProcessEnd {
    let deadline = Date(timeIntervalSinceNow: seconds)
    ending.condition.lock()
    defer { ending.condition.unlock() }
    while ending.end == nil {
      guard ending.condition.wait(until: deadline) else {
        throw NeverHappened(
          "process \(processID) did not end within \(seconds) seconds; it printed:\n\(errors)")
      }
    }
    return ending.end ?? .exited(-1)
  }

  /// What it has printed to standard output.
  var output: String { text("output") }
  /// What it has printed to standard error.
  var errors: String { text("errors") }

  private func text(_ name: String) -> String {
    guard let data = try? Data(contentsOf: directory.appendingPathComponent(name)) else { return "" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Time of the processor that it has used, in seconds.
  func processorSeconds() throws -> Double {
    let text = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
    // The second field, the name, is in parentheses and may hold blanks.
    let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
    guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
      throw NeverHappened("/proc tells the times of process \(processID): '\(text)'")
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
}

/// Two functions of glibc that Swift's module of it leaves out.
private enum FileActions {
  private typealias ChangeDirectory =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>) -> Int32
  private typealias CloseFrom =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

  static func changeDirectory(_ actions: inout posix_spawn_file_actions_t, to path: String) throws {
    let function = unsafeBitCast(try symbol("posix_spawn_file_actions_addchdir_np"), to: ChangeDirectory.self)
    _ = function(&actions, path)
  }

  static func close(_ actions: inout posix_spawn_file_actions_t, from lowest: Int32) throws {
    let function = unsafeBitCast(try symbol("posix_spawn_file_actions_addclosefrom_np"), to: CloseFrom.self)
    _ = function(&actions, lowest)
  }

  private static func symbol(_ name: String) throws -> UnsafeMutableRawPointer {
    guard let symbol = dlsym(nil, name) else {
      throw NeverHappened("this glibc is 2.34 or newer, and has \(name)")
    }
    return symbol
  }
}

/// What the package builds.
enum BuiltProduct {
  /// The path of a program that was built together with these tests.
  static func path(_ name: String) throws -> String {
    // The tests are a program of their own, or a bundle, in the folder of what is built.
    var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    for _ in 0..<4 {
      folder = folder.deletingLastPathComponent()
      let program = folder.appendingPathComponent(name).path
      if FileManager.default.isExecutableFile(atPath: program) { return program }
    }
    throw NeverHappened("\(name) was built beside the tests; build it with 'swift build --build-tests'")
  }

  /// The folder of the package's sources.
  static var packageFolder: URL {
    var folder = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { folder = folder.deletingLastPathComponent() }
    return folder
  }
}
