import Testing

extension EndToEnd {
  @Suite("The example of a transport of one's own")
  struct TransportExampleTests {
    @Test("three bare cores agree over plain TCP sockets")
    func bringYourOwnTransport() throws {
      let ports = try (0..<3).map { _ in try Port() }
      let process = try ChildProcess(
        try BuiltProduct.path("BringYourOwnTransport"), ports.map { "\($0.number)" })
      #expect(try process.awaitEnd() == .exited(0), "\(process.output) \(process.errors)")
      for node in ["n1", "n2", "n3"] {
        #expect(process.output.contains("\(node) has applied: any transport will do\n"))
      }
      #expect(process.output.hasSuffix("all three have applied them\n"))
    }
  }
}
