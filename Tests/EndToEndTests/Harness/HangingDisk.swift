import Foundation

/// The disk under a node's folder, which can hang: `Scripts/faults/failing.c`, preloaded into the node, holds calls back
/// until it goes on.
final class HangingDisk: Sendable {
  /// What hangs.
  enum Part: String {
    /// The log: syncing it.
    case log = "sync:consensus/*:1:hang:0"
    /// The data: writing to any of its files.
    case data = "write:data-*/*:1:hang:0"
  }

  /// For the node's process.
  let environment: [String: String]
  private let mark: String

  /// The shim, built once.
  private static let shim = Result { () throws -> String in
    let library = BuiltProduct.packageFolder.appending(path: ".build/failing.so").path
    let source = BuiltProduct.packageFolder.appending(path: "Scripts/faults/failing.c").path
    let compiler = try ChildProcess("clang", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"])
    guard try compiler.awaitEnd() == .exited(0) else {
      throw NeverHappened("the shim is built: \(compiler.errors)")
    }
    return library
  }

  /// - Parameters:
  ///   - volume: The node's folder.
  ///   - part: What hangs when it hangs.
  init(of volume: String, _ part: Part) throws {
    mark = volume + ".hangs"
    environment = [
      "LD_PRELOAD": try Self.shim.get(), "FAILING_ROOT": volume, "FAILING_FAULT": part.rawValue,
      "FAILING_WHEN": mark,
    ]
  }

  /// From now on it hangs.
  func hang() throws {
    guard FileManager.default.createFile(atPath: mark, contents: nil) else {
      throw NeverHappened("\(mark) is written")
    }
  }

  /// It goes on with what it was asked for.
  func goOn() { try? FileManager.default.removeItem(atPath: mark) }
}
