#!/bin/bash
# Checks the format, builds, and runs all tests; arguments go to `swift test`. Ends with the test runner's summary.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "checking the format"
swift format lint --strict --recursive --parallel Package.swift Sources Tests Examples Benchmarks/Sources

swift build --build-tests

# That replication allocates nothing can only be seen in a release build; it is skipped when only some tests are asked for.
if [ $# -eq 0 ]; then
  swift build --package-path Benchmarks --configuration release --product bench-core
  Benchmarks/.build/release/bench-core --check
fi

# Counts of a million distinct elements would take a debug build minutes.
if [ $# -eq 0 ]; then
  swift build --configuration release --product bench-sketches
  .build/release/bench-sketches --elements 1000000
fi

# Simulated clusters, in a release build: a fixed set of seeds, then fresh ones for a minute.
if [ $# -eq 0 ]; then Scripts/simulate.sh 60; fi

# Everything that runs processes is run with either store; the memory store's turn comes with all other tests.
if [ $# -eq 0 ]; then
  RAFTNODE_TEST_STORE=database swift test --skip-build --disable-xctest --no-parallel --filter 'EndToEndTests\.'
fi

log=.build/test.log
status=0
# One after the other: a simulation that takes both processors would make tests with real sockets and deadlines fail.
swift test --skip-build --disable-xctest --no-parallel "$@" 2>&1 | tee "$log" || status=$?
# On failure other lines may follow it.
if ! tail -n 1 "$log" | grep -q 'Test run with'; then grep 'Test run with' "$log" | tail -n 1 || true; fi
exit "$status"
