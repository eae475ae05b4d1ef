import RaftTransport
import Testing

@Suite("Transport options")
struct TransportOptionsTests {
  @Test("the defaults are valid")
  func defaults() throws { #expect(try TransportOptions().validated() == TransportOptions()) }

  @Test("every fault is listed, with the option, its value and its range")
  func faults() {
    var options = TransportOptions()
    options.clientConnectionsMax = 0
    options.frameBytesMax = -1
    options.reconnectMillisecondsMax = 3
    options.keepAliveSeconds = 100_000
    options.stopMillisecondsMax = .max
    let error = #expect(throws: TransportOptionsError.self) { try options.validated() }
    #expect(error?.faults.count == 5)
    #expect(error?.description.contains("clientConnectionsMax is 0; it must be 1 to 1000000") == true)
  }
}
