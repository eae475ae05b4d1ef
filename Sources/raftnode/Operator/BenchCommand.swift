import ArgumentParser
import RaftBench
import RaftTransport

/// Puts a load on nodes, and tells how they take it.
struct BenchCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Put a load on nodes, and measure how many requests they answer, and how fast.",
    discussion: """
      It overwrites the keys key:000000000000 and following. Works with any server of Redis's protocol, too.

      Each client sends its next requests when those before are answered. With --rate they are due at fixed times instead, \
      and latencies count from then.
      """)

  @Option(help: ArgumentHelp("The nodes; clients are spread over them.", valueName: "host:port,..."))
  var ip = "127.0.0.1:5000"

  @Option(name: .customLong("protocol"), help: "What is spoken: resp, Redis's protocol, or json.")
  var wireProtocol = BenchPlan.WireProtocol.resp

  @Option(help: "How many connections.")
  var clients = 64

  @Option(help: "How many requests a connection sends at once.")
  var pipeline = 1

  @Option(
    help: ArgumentHelp("Requests in a second, of all clients together. (default: as many as are answered)"))
  var rate: Double?

  @Option(help: ArgumentHelp("How long it is measured.", valueName: "seconds"))
  var duration = 10.0

  @Option(help: ArgumentHelp("How long it runs before that. None with --requests.", valueName: "seconds"))
  var warmup = 1.0

  @Option(help: "End after so many requests, instead of after a time.")
  var requests: Int?

  @Option(help: "Bytes of a value.")
  var valueBytes = 100

  @Option(help: "How many different keys.")
  var keys = 100_000

  @Option(help: "Which keys: uniform, zipfian or sequential.")
  var distribution = BenchPlan.Distribution.uniform

  @Option(help: ArgumentHelp("Which part of the requests are reads, 0 to 1.", valueName: "share"))
  var reads = 0.0

  @Option(
    help: ArgumentHelp(
      "How long a client waits for an answer before it goes to the next node.", valueName: "seconds"))
  var timeout = 10.0

  @Option(help: "Decides which keys are drawn.")
  var seed: UInt64 = 1

  @Flag(help: "Print the result as JSON.")
  var json = false

  func validate() throws {
    if let fault = try plan().fault { throw ValidationError(fault) }
  }

  /// What the options ask for.
  func plan() throws -> BenchPlan {
    var plan = BenchPlan()
    for address in ip.split(separator: ",") {
      do {
        let endpoint = try Endpoint(String(address))
        plan.nodes.append((endpoint.host, endpoint.port))
      } catch {
        throw ValidationError("--ip: \(error)")
      }
    }
    plan.wireProtocol = wireProtocol
    (plan.clients, plan.pipeline, plan.rate) = (clients, pipeline, rate)
    (plan.seconds, plan.warmUpSeconds, plan.requests) = (duration, warmup, requests)
    (plan.valueBytes, plan.keys, plan.distribution) = (valueBytes, keys, distribution)
    (plan.readShare, plan.patienceSeconds, plan.seed) = (reads, timeout, seed)
    return plan
  }

  func perform() throws {
    let plan = try plan()
    let line = ProgressLine()
    let report: BenchReport
    do {
      defer { line.end() }
      report = try LoadGenerator(plan).run { soFar in
        let latencies = soFar.latencies
        line.tell(
          "\(Int(soFar.seconds)) s: \(Int(soFar.throughput)) requests/s, p99 \(latencies.percentile(99) / 1_000) µs, "
            + "\(soFar.failed) failed")
      }
    } catch {
      StandardError.write("raftnode: \(error)")
      throw ArgumentParser.ExitCode(ExitStatus.unavailable.rawValue)
    }
    print(json ? report.json(of: plan) : report.text)
    if report.succeeded == 0 { throw ArgumentParser.ExitCode(ExitStatus.refused.rawValue) }
  }
}

extension BenchPlan.WireProtocol: ExpressibleByArgument {}
extension BenchPlan.Distribution: ExpressibleByArgument {}
