"""Lets the explorer look for the bugs of classics.txt, each put into a copy of RaftCore, and prints the ways to them.

Succeeds if each was found, by the rule that it breaks, and RaftCore as it is breaks none under the same plans. Takes the
numbers of classics to look for as arguments; all by default."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / ".build" / "classics"
BUILD_SECONDS = 900
SEARCH_SECONDS = 600

PACKAGE = """// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
]
let package = Package(
  name: "classics",
  targets: [
    .target(name: "RaftCore", exclude: %s, swiftSettings: settings),
    .target(name: "RaftSimulation", dependencies: ["RaftCore"], swiftSettings: settings),
    .executableTarget(name: "classics", dependencies: ["RaftSimulation"], swiftSettings: settings),
  ])
"""


def read_blocks(path, size):
    """The blocks of a file: what follows "== ", and the `size - 1` lines below."""
    for block in (ROOT / path).read_text().split("\n== ")[1:]:
        lines = block.split("\n")[:size]
        if len(lines) < size or not all(lines):
            sys.exit(f"{path}: '{lines[0]}' is not a block of {size} lines")
        yield lines


def make_copy():
    """Copies what is needed; the build directory of an earlier run stays."""
    shutil.rmtree(COPY / "Sources", ignore_errors=True)
    shutil.copytree(ROOT / "Sources/RaftCore", COPY / "Sources/RaftCore")
    shutil.copytree(ROOT / "Sources/RaftSimulation/Exploring", COPY / "Sources/RaftSimulation")
    (COPY / "Sources/classics").mkdir(parents=True)
    shutil.copy(ROOT / "Scripts/explore/main.swift", COPY / "Sources/classics/main.swift")
    catalogue = '["RaftCore.docc"]' if (COPY / "Sources/RaftCore/RaftCore.docc").exists() else "[]"
    (COPY / "Package.swift").write_text(PACKAGE % catalogue)


def run(arguments, seconds):
    """Runs a command in the copy; returns whether it succeeded in time, and what it printed."""
    try:
        done = subprocess.run(
            arguments, cwd=COPY, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
        return done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired:
        return False, f"not done after {seconds} seconds"


def build():
    """Builds the copy as it stands."""
    is_built, text = run(["swift", "build", "--configuration", "release", "--product", "classics"], BUILD_SECONDS)
    if not is_built:
        sys.exit("\n".join([line for line in text.splitlines() if "error:" in line] or [text]))


def search(plan):
    """What the explorer says of a plan: the numbers, the broken rule, the way there."""
    is_done, text = run([COPY / ".build/release/classics", plan], SEARCH_SECONDS)
    lines = text.splitlines() or [""]
    rule = next((line for line in lines if line.startswith("broken after ")), "")
    return is_done, lines[0], rule, [line for line in lines if line.startswith("  ")]


def check_shipped(plans):
    """Looks for broken rules in RaftCore as it is; returns how many plans find one."""
    build()
    failures = 0
    for plan in plans:
        is_done, numbers, rule, way = search(plan)
        print(f"{'no rule broken' if is_done and not rule else 'BROKEN':15} as shipped, {plan:23} {numbers}", flush=True)
        if rule:
            print("\n".join([rule] + way))
        failures += not is_done or bool(rule)
    return failures


def check_bug(number, classic, mutant, expected):
    """Puts a bug into the copy and looks for it; returns whether it was found."""
    title, plan, rule_expected = classic[0], classic[2], classic[3]
    _, file, old, new = mutant
    path = COPY / "Sources/RaftCore" / file
    original = path.read_text()
    if original.count(old[1:] + "\n") != 1:
        sys.exit(f"{title}: the line is {original.count(old[1:])} times in {file}")
    path.write_text(original.replace(old[1:] + "\n", new[1:] + "\n"))
    build()
    path.write_text(original)
    _, numbers, rule, way = search(plan)
    is_found = rule_expected in rule
    print(f"\n{number}. {title}")
    print(f"{'found' if is_found else 'NOT FOUND':15} plan {plan}: {numbers}")
    print("\n".join(([rule] if rule else []) + way), flush=True)
    return is_found


def main():
    numbers = {int(argument) for argument in sys.argv[1:]}
    classics = list(read_blocks("Scripts/explore/classics.txt", 4))
    mutants = {block[0]: block for block in read_blocks("Scripts/mutants/mutants.txt", 4)}
    chosen = [(number, classic) for number, classic in enumerate(classics, start=1) if not numbers or number in numbers]
    make_copy()
    failures = check_shipped(sorted({classic[2] for _, classic in chosen}))
    for number, classic in chosen:
        if classic[1] not in mutants:
            sys.exit(f"{classic[0]}: mutants.txt has no bug '{classic[1]}'")
        failures += not check_bug(number, classic, mutants[classic[1]], classic[3])
    print(f"\n{len(chosen)} classics, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
