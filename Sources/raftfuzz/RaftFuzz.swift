import ArgumentParser
import Glibc
import RaftCore

/// `raftfuzz`: inputs that are almost right, for the parsers that take bytes from strangers.
@main
struct RaftFuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "raftfuzz",
    abstract:
      "Gives a parser mutated inputs. A crash, a hang, or memory that grows ends it with another status than 0.",
    discussion: """
      Inputs come in blocks of 1,000, each of which is decided by the seed and its number alone: '--from BLOCK --count \
      1000' runs one again. The last block that was begun is in the file that '--last' names.
      """)

  @Argument(help: "json, resp, or peer: requests of the two client protocols, or frames of other nodes.")
  var parser: String

  @Option(help: "How many inputs.")
  var count = 100_000
  @Option(help: "Decides the inputs.")
  var seed: UInt64 = 1
  @Option(help: "The number of the first block.")
  var from = 0
  @Option(help: "The folder of the inputs to begin with: a file for each parser, with one input a line.")
  var corpus = "Scripts/fuzz/corpus"
  @Option(help: "Where the number of the block that is being run is kept.")
  var last: String?

  func validate() throws {
    guard ["json", "resp", "peer"].contains(parser) else {
      throw ValidationError("there is no parser '\(parser)'; there are json, resp and peer")
    }
    guard count > 0, from >= 0 else { throw ValidationError("--count is at least 1, and --from at least 0") }
  }

  func run() throws {
    switch parser {
    case "json": try run(JSONTarget.self)
    case "resp": try run(RESPTarget.self)
    default: try run(PeerTarget.self)
    }
  }

  private func run<Target: FuzzTarget>(_: Target.Type) throws {
    let seeds = try Corpus.read("\(corpus)/\(parser).txt") + Target.ownSeeds
    guard !seeds.isEmpty else { throw ValidationError("there is nothing to begin with in \(corpus)") }
    let mutator = Mutator(seeds: seeds)
    let blocks = (count + 999) / 1_000
    let clock = ContinuousClock()
    let start = clock.now
    var (bytes, early) = (0, 0)
    for number in 0..<blocks {
      let block = from + number
      note(block)
      limitProcessorTime(seconds: 60)
      var random = FuzzRandom(seed: seed &* 0x1_0000_0001 &+ UInt64(block))
      var target = Target()
      for _ in 0..<min(1_000, count - number * 1_000) {
        let input = mutator.input(&random)
        bytes += input.count
        do throws(FuzzFailure) {
          try target.take(Mutator.pieces(of: input, &random))
        } catch {
          print(
            "\(parser), seed \(seed), block \(block): \(error.reason); the input: \(Corpus.escaped(Bytes(input.prefix(2_000))))"
          )
          throw ExitCode(1)
        }
      }
      if number == blocks / 10 { early = Memory.resident }
      if (number + 1) % max(blocks / 10, 1) == 0 {
        let seconds = (clock.now - start) / .seconds(1)
        print(
          "\(parser): \((number + 1) * 1_000) inputs, \(Int(Double((number + 1) * 1_000) / seconds)) in a second, "
            + "\(bytes / (number + 1) / 1_000) bytes each, \(Memory.resident >> 20) MiB resident")
      }
    }
    limitProcessorTime(seconds: 0)
    let resident = Memory.resident
    print("\(parser): seed \(seed), \(count) inputs, peak \(Memory.peak >> 20) MiB, no crash, no hang")
    guard resident < early + (256 << 20) else {
      print("memory has grown from \(early >> 20) to \(resident >> 20) MiB")
      throw ExitCode(1)
    }
  }

  /// A block takes a part of a second; one that hangs ends the process. By the time on a processor: on a machine that is busy
  /// with something else, a block may have to wait for minutes.
  private func limitProcessorTime(seconds: Int) {
    var timer = itimerval()
    timer.it_value.tv_sec = seconds
    _ = setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &timer, nil)
  }

  private func note(_ block: Int) {
    guard let last else { return }
    let descriptor = open(last, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { return }
    let text = Bytes("\(block)\n".utf8)
    _ = text.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }
}
