import ArgumentParser
import Glibc

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
