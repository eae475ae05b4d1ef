"""Puts bugs into the shipped code, one at a time, and lets simulated clusters find them.

The bugs are those of mutants.txt (RaftCore) and replica.txt (RaftServer and RaftStore), but for those that a line says of
why they do no harm. Each module is built once as a shared library; for a bug only its own module is built again. A bug
of RaftCore that no run shows is looked for by the explorer of small worlds. Prints a table, as Docs/mutants.md has it;
succeeds if every bug was caught. Arguments: numbers of bugs, as the table has them; all by default."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "simulated-mutants"
MODULES = ["RaftCore", "RaftStore", "RaftTransport", "RaftServer", "RaftSimulation"]
# Where the modules of C libraries are declared.
LIBRARIES = [part for name in ["CRocksDB", "CEpoll"] for part in ("-I", str(ROOT / "Sources" / name))]
SEEDS = 200
QUICK_SEEDS = 24
RUN_SECONDS = 900
# Small worlds that the explorer looks through, in this order, and how many states of each.
WORLDS = [
    "double-vote", "stale-read", "early-acknowledgement", "lost-campaign", "earlier-term", "reads", "quick", "membership",
    "late-vote",
]
STATES = 10_000_000

# Lives through runs, of which the first ones are short; or explores small worlds.
MAIN = """import Glibc
import RaftSimulation

if CommandLine.arguments[1] == "explore" {
  for name in CommandLine.arguments.dropFirst(3) {
    guard var plan = ExplorationPlan(named: name) else { continue }
    plan.statesMax = Int(CommandLine.arguments[2]) ?? 0
    let report = try Explorer(plan).run()
    print("explored \\(name): \\(report.states) states")
    if let violation = report.violation {
      print("caught by \\(violation.rule)")
      exit(1)
    }
  }
  exit(0)
}
let worlds: [(SimulationProfile, Int)] = [
  (.hostile, 5), (.ambush, 3), (.membership, 5), (.ambush, 5), (.disk, 3), (.ambush, 7), (.rough, 3), (.ambush, 3),
  (.membership, 3), (.ambush, 5), (.hostile, 1), (.ambush, 4),
]
let bounds = CommandLine.arguments.dropFirst().compactMap { Int($0) }
for run in bounds[0]...bounds[1] {
  let (profile, nodes) = worlds[(run - 1) % worlds.count]
  print("run \\(run): \\(profile.name), \\(nodes) nodes")
  fflush(nil)
  var plan = SimulationPlan(seed: UInt64(run), profile: profile, nodes: nodes, ticks: run <= bounds[2] ? 4_000 : 20_000)
  // In every other round the clients are in a hurry.
  if (run - 1) / worlds.count % 2 == 1 { plan.thinkTicksMax = 6 }
  let report = RegisterSimulation(plan).run()
  if !report.violations.isEmpty {
    print("caught by \\(report.checker)")
    print(report.violations[0])
    exit(1)
  }
}
"""


def read_mutants():
    """Yields (title, module, file, old, new) of each bug."""
    for name, prefix in [("mutants.txt", "RaftCore/"), ("replica.txt", "")]:
        for block in (ROOT / "Scripts/mutants" / name).read_text().split("\n== ")[1:]:
            title, file, *lines = block.split("\n")
            if any(line.startswith("harmless: ") for line in lines):
                continue
            old = "\n".join(line[1:] for line in lines if line.startswith("-"))
            new = "\n".join(line[1:] for line in lines if line.startswith("+"))
            if not old or not any(line.startswith("+") for line in lines):
                sys.exit(f"'{title}' is not written as a title, a file, lines to take away and lines to put there")
            path = prefix + file
            yield title, path.split("/")[0], path, old, new


def compile_module(module, sources, output, optimised):
    """Builds a module as a shared library; returns the compiler's errors."""
    output.mkdir(parents=True, exist_ok=True)
    files = output / f"{module}.files"
    files.write_text("\n".join(sorted(str(path) for path in sources.rglob("*.swift"))))
    below = [f"-l{name}" for name in MODULES[: MODULES.index(module)]]
    command = [
        "swiftc", "-O" if optimised else "-Onone", "-wmo", "-swift-version", "6",
        "-enable-upcoming-feature", "ExistentialAny", "-enable-upcoming-feature", "MemberImportVisibility",
        "-package-name", "raftnode", "-parse-as-library", "-emit-library", "-emit-module", "-module-name", module,
        "-I", str(WORK / "base"), *LIBRARIES, "-L", str(WORK / "base"), *below,
        "-emit-module-path", str(output / f"{module}.swiftmodule"), "-o", str(output / f"lib{module}.so"), f"@{files}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def build_base():
    """Builds everything as it is."""
    shutil.rmtree(WORK, ignore_errors=True)
    for module in MODULES:
        errors = compile_module(module, ROOT / "Sources" / module, WORK / "base", True)
        if errors:
            sys.exit(errors)
    (WORK / "main.swift").write_text(MAIN)
    libraries = [f"-l{module}" for module in MODULES]
    base = str(WORK / "base")
    subprocess.run(
        ["swiftc", "-O", "-swift-version", "6", "-I", base, *LIBRARIES, "-L", base,
         *libraries, str(WORK / "main.swift"), "-o",
         str(WORK / "simulate")], check=True)


def run(folder, *arguments):
    """Runs the program, with a bug if `folder` has one; returns its status, None if it does not end, and what it says."""
    libraries = f"{folder}:{WORK / 'base'}" if folder else str(WORK / "base")
    environment = dict(os.environ, LD_LIBRARY_PATH=libraries, SWIFT_BACKTRACE="enable=no")
    command = [str(WORK / "simulate"), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, env=environment)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode()


def what_caught(status, output):
    """The rule that a program has found broken."""
    caught = re.search(r"^caught by (.*)$", output, re.MULTILINE)
    return caught.group(1) if caught else "a run that does not end" if status is None else "a trap"


def simulate(folder, first, last):
    """Lives through runs; returns what caught the bug and in which run, or None."""
    status, output = run(folder, first, last, QUICK_SEEDS)
    runs = re.findall(r"^run (\d+)", output, re.MULTILINE)
    return None if status == 0 else (what_caught(status, output), int(runs[-1]) if runs else 0)


def explore(folder):
    """Looks through small worlds; returns the broken rule and in which world after how many states, or None."""
    for world in WORLDS:
        status, output = run(folder, "explore", STATES, world)
        if status != 0:
            states = re.search(r"(\d+) states$", output, re.MULTILINE)
            rule = re.match(r"[a-z -]*", what_caught(status, output)).group(0)
            return f"explorer: {rule}", f"{states.group(1) if states else 0} states of {world}"
    return None


def try_mutant(module, path, old, new):
    """Returns what caught a bug, and after how many seeds or states."""
    folder = WORK / "bug"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "Sources" / module, folder / module)
    file = folder / path
    text = file.read_text()
    if text.count(old) != 1:
        return f"not there exactly once, but {text.count(old)} times", None
    file.write_text(text.replace(old, new))
    # Most bugs are found so soon that it does not pay to have the compiler make the code fast.
    for optimised, first, last in [(False, 1, QUICK_SEEDS), (True, QUICK_SEEDS + 1, SEEDS)]:
        errors = compile_module(module, folder / module, folder, optimised)
        if errors:
            return "does not compile: " + errors.strip().split("\n")[0], None
        caught = simulate(folder, first, last)
        if caught:
            return caught
    return module == "RaftCore" and explore(folder) or ("NOT CAUGHT", None)


def main():
    wanted = {int(argument) for argument in sys.argv[1:]}
    build_base()
    if simulate(None, 1, SEEDS) or explore(None):
        sys.exit("the code as it is breaks a rule")
    survivors = 0
    print("| bug | in | caught by | after seeds |\n|---|---|---|---|", flush=True)
    for number, (title, module, path, old, new) in enumerate(read_mutants(), 1):
        if wanted and number not in wanted:
            continue
        checker, seeds = try_mutant(module, path, old, new)
        survivors += seeds is None
        print(f"| {number} {title} | {path} | {checker} | {seeds or '-'} |", flush=True)
    print(f"\n{survivors} not caught")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
