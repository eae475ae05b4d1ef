import Foundation

/// What a node's folder rests on. `Scripts/torture/powerless.c`, preloaded into the node, writes down what of it is
/// durable; after a kill, the folder is put back to that: as if the power had failed, and not only the process.
final class PowerSupply: Sendable {
  private let volume: String
  private let shadow: String
  let environment: [String: String]

  /// The shim, built once.
  private static let shim = Result { () throws -> String in
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let library = root.appending(path: ".build/powerless.so").path
    let compiler = try ChildProcess(
      "clang",
      [
        "-O2", "-shared", "-fPIC", "-o", library, root.appending(path: "Scripts/torture/powerless.c").path,
        "-ldl",
      ])
    guard try compiler.awaitEnd() == .exited(0) else {
      throw NeverHappened("the shim is built: \(compiler.errors)")
    }
    return library
  }

  init(of volume: String, shadow: String, variables: [String: String] = [:]) throws {
    self.volume = volume
    self.shadow = shadow
    environment = variables.merging([
      "LD_PRELOAD": try Self.shim.get(), "POWERLESS_ROOT": volume, "POWERLESS_SHADOW": shadow,
    ]) { $1 }
  }

  /// Puts the folder back to what was durable. Of what was written to the end of a file and not synced, a part may be
  /// there: as much as is drawn.
  func fail(_ random: inout SeededRandom) throws {
    // Killed before anything could be written: everything that is there is durable.
    guard FileManager.default.fileExists(atPath: "\(shadow)/complete") else {
      if FileManager.default.fileExists(atPath: shadow) {
        try FileManager.default.removeItem(atPath: shadow)
      }
      return
    }
    let restored = volume + ".restored"
    try restore(names: "root", live: volume, to: restored, &random)
    try FileManager.default.removeItem(atPath: volume)
    try FileManager.default.moveItem(atPath: restored, toPath: volume)
    // What is there at the next start is durable.
    try FileManager.default.removeItem(atPath: shadow)
  }

  private func restore(names: String, live: String, to folder: String, _ random: inout SeededRandom) throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    guard let list = try? String(contentsOfFile: "\(shadow)/names/\(names)", encoding: .utf8) else { return }
    for line in list.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 2)
      guard parts.count == 3 else { throw NeverHappened("the shim writes 'kind key name'; it wrote \(line)") }
      let name = String(parts[2])
      if parts[0] == "d" {
        try restore(names: "\(names)%\(name)", live: "\(live)/\(name)", to: "\(folder)/\(name)", &random)
      } else {
        var bytes = FileManager.default.contents(atPath: "\(shadow)/inodes/\(parts[1])") ?? Data()
        bytes += torn(bytes, "\(live)/\(name)", &random)
        guard FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: bytes) else {
          throw NeverHappened("\(folder)/\(name) is restored")
        }
      }
    }
  }

  /// A part of what follows the durable bytes in the file.
  private func torn(_ durable: Data, _ path: String, _ random: inout SeededRandom) -> Data {
    guard Bool.random(using: &random), let live = FileManager.default.contents(atPath: path),
      live.count > durable.count, live.prefix(durable.count) == durable
    else { return Data() }
    return live[durable.count..<Int.random(in: durable.count...live.count, using: &random)]
  }
}
