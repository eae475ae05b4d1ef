import RaftTransport
import Testing

@Suite("Endpoints: what --ip and --peers take")
struct EndpointTests {
  @Test(
    "a host and a port are read, and print as they were written",
    arguments: [
      "127.0.0.1:5000", "localhost:1", "[::1]:5000", "[2001:db8::7]:65535", "node-1.example.org:6379",
      "cluster_kv_1:80", "a:9",
    ])
  func roundTrip(text: String) throws {
    let endpoint = try Endpoint(text)
    #expect(endpoint.description == text)
    #expect(try Endpoint(endpoint.description) == endpoint)
  }

  @Test(
    "what is no endpoint is refused by a sentence that says what is allowed",
    arguments: [
      "", "localhost", ":", ":5000", "localhost:", "localhost:0", "localhost:65536", "localhost:+80",
      "localhost:08", "localhost:80x", "::1:5000", "[::1]", "[localhost]:80", "[::g]:80", "a b:80", "-a:80",
      "a-:80", "a..b:80", "300.1.1.1:80", "1.2.3:80", "1:80", "http://a:80", "ä:80", "a:\u{661}",
    ])
  func refused(text: String) {
    let error = #expect(throws: EndpointError.self) { try Endpoint(text) }
    #expect(error?.description.contains("HOST:PORT") == true)
  }

  @Test("a host longer than a name can be is refused")
  func longHost() {
    let label = String(repeating: "a", count: 63)
    let longest = [label, label, label, String(label.dropLast(2))].joined(separator: ".")
    #expect(throws: Never.self) { try Endpoint("\(longest):80") }
    #expect(throws: EndpointError.self) { try Endpoint("\(longest)a:80") }
    #expect(throws: EndpointError.self) { try Endpoint("\(label)a:80") }
  }
}
