import AllocationCounter
import Foundation

let usage = """
  usage: bench-core [--check] [--only TEXT] [--rounds COUNT]
    --check         only see that replication allocates nothing once warm; exit with 1 if it does
    --only TEXT     measure the rows whose name contains TEXT
    --rounds COUNT  rounds that count for each row (default 7)
  """

func fail(_ message: String) -> Never {
  FileHandle.standardError.write(Data("bench-core: \(message)\n".utf8))
  exit(2)
}

var arguments = CommandLine.arguments.dropFirst()
var repetition = Repetition()
var isCheck = false
var only = ""
while let argument = arguments.popFirst() {
  switch argument {
  case "--check": isCheck = true
  case "--only":
    guard let text = arguments.popFirst() else { fail("--only needs a text") }
    only = text
  case "--rounds":
    guard let count = arguments.popFirst().flatMap({ Int($0) }), count > 0 else {
      fail("--rounds needs a number from 1")
    }
    repetition.rounds = count
  case "--help":
    print(usage)
    exit(0)
  default: fail("unknown argument '\(argument)'\n\(usage)")
  }
}

for line in Machine().lines { print(line) }
print()

if isCheck {
  guard allocation_counter_is_available() else {
    print("allocations: not available on this platform")
    exit(0)
  }
  guard AllocationCheck.counterCounts else { fail("allocations are not counted, though they should be") }
  let checks = try [1, 64].map { try AllocationCheck(batch: $0) }
  for check in checks { print(check.description) }
  exit(checks.allSatisfy(\.isMet) ? 0 : 1)
}

Report.printHeader()
var rows: [Row] = []
for workload in Workload.all where only.isEmpty || workload.name.contains(only) {
  let row = try workload.measure(workload.name, repetition)
  Report.printRow(row)
  fflush(nil)
  rows.append(row)
}
Report.printBounds(rows)
