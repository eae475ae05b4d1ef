"""Applies the bugs of mutants.txt to a copy of RaftCore, one at a time, and runs RaftCore's tests against each.

Prints a table; succeeds if every bug was caught. Takes the numbers of bugs to try as arguments; all by default."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / ".build" / "mutants"
BUILD_SECONDS = 900
TEST_SECONDS = 120

PACKAGE = """// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
]
let package = Package(
  name: "mutants",
  targets: [
    %s.target(name: "RaftCore", exclude: %s, swiftSettings: settings),
    .testTarget(name: "RaftCoreTests", dependencies: ["RaftCore"%s], exclude: %s, swiftSettings: settings),
  ])
"""


def read_mutants():
    """Yields (title, file, old, new) of each bug."""
    blocks = (ROOT / "Scripts/mutants/mutants.txt").read_text().split("\n== ")[1:]
    for block in blocks:
        title, file, old, new = [line for line in block.split("\n")][:4]
        if not old.startswith("-") or not new.startswith("+"):
            sys.exit(f"'{title}' is not written as a title, a file, a line to take away and one to put there")
        yield title, file, old[1:], new[1:]


def make_copy():
    """Copies what is needed; the build directory of an earlier run stays."""
    for part in ["Sources", "Tests", "Counter"]:
        shutil.rmtree(COPY / part, ignore_errors=True)
    shutil.copytree(ROOT / "Sources/RaftCore", COPY / "Sources/RaftCore")
    shutil.copytree(ROOT / "Tests/RaftCoreTests", COPY / "Tests/RaftCoreTests")
    counter = ROOT / "Benchmarks/Sources/AllocationCounter"
    if counter.exists():
        shutil.copytree(counter, COPY / "Counter")
    catalogue = '["RaftCore.docc"]' if (COPY / "Sources/RaftCore/RaftCore.docc").exists() else "[]"
    scripts = '["Scripts"]' if (COPY / "Tests/RaftCoreTests/Scripts").exists() else "[]"
    target = '.target(name: "AllocationCounter", path: "Counter"),\n    ' if counter.exists() else ""
    dependency = ', "AllocationCounter"' if counter.exists() else ""
    (COPY / "Package.swift").write_text(PACKAGE % (target, catalogue, dependency, scripts))


def run(arguments, seconds):
    """Runs a command in the copy; returns its status, or None if it took too long, and what it printed."""
    try:
        done = subprocess.run(
            arguments, cwd=COPY, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        subprocess.run(["pkill", "-f", str(COPY / ".build")], check=False)
        return None, (late.stdout or b"").decode(errors="replace")


def judge():
    """Builds and tests the copy as it stands; returns what came of it, and the first sign of it."""
    status, text = run(["swift", "build", "--build-tests"], BUILD_SECONDS)
    if status != 0:
        errors = [line for line in text.splitlines() if "error:" in line]
        return "does not build", errors[0] if errors else "too slow"
    tests = next((COPY / ".build/debug").glob("*.xctest"))
    status, text = run([str(tests), "--testing-library", "swift-testing"], TEST_SECONDS)
    if status is None:
        return "caught", "the tests do not end"
    signs = [line for line in text.splitlines() if "recorded an issue" in line or "Fatal error" in line]
    sign = signs[0] if signs else text.strip().splitlines()[-1]
    return ("survived" if status == 0 else "caught"), sign


def short(sign):
    """The gist of a line that a test has printed."""
    for opening in ["Fatal error: ", 'Test "']:
        if opening in sign:
            return sign.split(opening, 1)[1].split('" recorded')[0][:90]
    return sign[:90]


def main():
    numbers = {int(argument) for argument in sys.argv[1:]}
    make_copy()
    verdict, sign = judge()
    if verdict != "survived":
        sys.exit(f"RaftCore's tests fail without any bug: {sign}")
    failures = 0
    mutants = list(read_mutants())
    for number, (title, file, old, new) in enumerate(mutants, start=1):
        if numbers and number not in numbers:
            continue
        path = COPY / "Sources/RaftCore" / file
        original = path.read_text()
        if original.count(old + "\n") != 1:
            verdict, sign = "not applicable", f"the line is {original.count(old)} times in {file}"
        else:
            path.write_text(original.replace(old + "\n", new + "\n"))
            verdict, sign = judge()
            path.write_text(original)
        failures += verdict != "caught"
        print(f"{number:3}  {verdict:14}  {title:72}  {short(sign)}", flush=True)
    print(f"{len(numbers) or len(mutants)} bugs, {failures} not caught")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
