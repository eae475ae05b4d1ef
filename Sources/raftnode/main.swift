import ArgumentParser
import CMalloc
import Glibc

// Databases work in threads of their own. With an arena of memory for each of them, and large pieces that are kept when they
// are free, a node takes twice as much as it uses.
mallopt(M_ARENA_MAX, 2)
mallopt(M_MMAP_THRESHOLD, 256 << 10)
mallopt(M_TRIM_THRESHOLD, 1 << 20)

switch Invocation(Array(CommandLine.arguments.dropFirst())) {
case .run(let plan):
  exit(await Launcher(plan).run().rawValue)
case .ask(let arguments):
  RaftNodeCommand.main(arguments)
case .print(let text):
  print(text)
case .refuse(let line):
  StandardError.write(line)
  exit(ExitStatus.usage.rawValue)
}
