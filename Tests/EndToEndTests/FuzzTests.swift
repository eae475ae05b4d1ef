import Foundation
import Testing

extension EndToEnd {
  @Suite("Parsers that take bytes from strangers")
  struct FuzzTests {
    /// The short form of `make fuzz`, without the address sanitizer; each run with inputs of its own.
    @Test("bear inputs that are almost right", arguments: ["json", "resp", "peer"])
    func mutatedInputs(parser: String) throws {
      let corpus = BuiltProduct.packageFolder.appendingPathComponent("Scripts/fuzz/corpus").path
      let process = try ChildProcess(
        try BuiltProduct.path("raftfuzz"),
        [parser, "--count", "35000", "--seed", "\(UInt32.random(in: 0 ... .max))", "--corpus", corpus])
      let end = try process.awaitEnd(within: 600)
      #expect(end == .exited(0), "\(process.output)\(process.errors)")
      #expect(process.output.contains("no crash, no hang"))
    }
  }
}
