"""Puts bugs into the shipped code, one at a time, and lets simulated clusters find them.

The bugs are those of mutants.txt (RaftCore) and replica.txt (RaftServer and RaftStore). Each module is built once as a
shared library; for a bug only its own module is built again. Prints a table; succeeds if every bug was caught. Arguments:
numbers of bugs, as the table has them; all by default."""

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
SEEDS = 200
QUICK_SEEDS = 18
RUN_SECONDS = 900

MAIN = """import Glibc
import RaftSimulation

let seeds = Int(CommandLine.arguments[1]) ?? 0
let worlds: [(SimulationProfile, Int)] = [
  (.hostile, 5), (.membership, 5), (.disk, 3), (.rough, 3), (.membership, 3), (.hostile, 1),
]
for position in 0..<seeds {
  let (profile, nodes) = worlds[position % worlds.count]
  print("run \\(position + 1): \\(profile.name), \\(nodes) nodes")
  fflush(nil)
  let plan = SimulationPlan(seed: UInt64(position) + 1, profile: profile, nodes: nodes, ticks: 4_000)
  let report = RegisterSimulation(plan).run()
  if !report.violations.isEmpty {
    print("caught by \\(report.checker)")
    exit(1)
  }
}
"""


def read_mutants():
    """Yields (title, module, file, old, new) of each bug."""
    for name, prefix in [("mutants.txt", "RaftCore/"), ("replica.txt", "")]:
        for block in (ROOT / "Scripts/mutants" / name).read_text().split("\n== ")[1:]:
            title, file, *lines = block.split("\n")
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
        "-I", str(WORK / "base"), "-L", str(WORK / "base"), *below,
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
        ["swiftc", "-O", "-swift-version", "6", "-I", base, "-L", base, *libraries, str(WORK / "main.swift"), "-o",
         str(WORK / "simulate")], check=True)


def simulate(folder, seeds):
    """Runs seeds; returns what caught the bug and in which run, or None."""
    libraries = f"{folder}:{WORK / 'base'}" if folder else str(WORK / "base")
    environment = dict(os.environ, LD_LIBRARY_PATH=libraries, SWIFT_BACKTRACE="enable=no")
    try:
        done = subprocess.run(
            [str(WORK / "simulate"), str(seeds)], capture_output=True, text=True, timeout=RUN_SECONDS, env=environment)
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = (expired.stdout or b"").decode(), None
    if status == 0:
        return None
    runs = re.findall(r"^run (\d+)", output, re.MULTILINE)
    caught = re.search(r"^caught by (.*)$", output, re.MULTILINE)
    checker = caught.group(1) if caught else "a run that does not end" if status is None else "a trap"
    return checker, int(runs[-1]) if runs else 0


def try_mutant(module, path, old, new):
    """Returns what caught a bug, and after how many seeds."""
    folder = WORK / "bug"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "Sources" / module, folder / module)
    file = folder / path
    text = file.read_text()
    if text.count(old) != 1:
        return f"not there exactly once, but {text.count(old)} times", None
    file.write_text(text.replace(old, new))
    # Most bugs are found so soon that it does not pay to have the compiler make the code fast.
    for optimised, seeds in [(False, QUICK_SEEDS), (True, SEEDS)]:
        errors = compile_module(module, folder / module, folder, optimised)
        if errors:
            return "does not compile: " + errors.strip().split("\n")[0], None
        caught = simulate(folder, seeds)
        if caught:
            return caught
    return "NOT CAUGHT", None


def main():
    wanted = {int(argument) for argument in sys.argv[1:]}
    build_base()
    if simulate(None, 2 * QUICK_SEEDS):
        sys.exit("the code as it is breaks a rule")
    survivors = 0
    print("| bug | in | caught by | seeds |\n|---|---|---|---|", flush=True)
    for number, (title, module, path, old, new) in enumerate(read_mutants(), 1):
        if wanted and number not in wanted:
            continue
        checker, seeds = try_mutant(module, path, old, new)
        survivors += seeds is None
        print(f"| {number} {title} | {path} | {checker} | {seeds or '-'} |", flush=True)
    print(f"\n{survivors} not caught")
    sys.exit(1 if survivors else 0)


main()
