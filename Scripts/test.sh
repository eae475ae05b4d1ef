#!/bin/bash
# Checks the format, builds, and runs all tests; arguments go to `swift test`. Ends with the test runner's summary.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "checking the format"
swift format lint --strict --recursive --parallel Package.swift Sources Tests Examples

swift build --build-tests

log=.build/test.log
status=0
# One after the other: a simulation that takes both processors would make tests with real sockets and deadlines fail.
swift test --skip-build --disable-xctest --no-parallel "$@" 2>&1 | tee "$log" || status=$?
# On failure other lines may follow it.
if ! tail -n 1 "$log" | grep -q 'Test run with'; then grep 'Test run with' "$log" | tail -n 1 || true; fi
exit "$status"
