#!/bin/bash
# Simulates clusters in a release build: first a fixed set of seeds of every profile, then fresh ones for SECONDS seconds
# (60 by default; 0 for none, "forever" for as long as it is let). Ends at the first seed that breaks a rule.
set -euo pipefail
cd "$(dirname "$0")/.."
duration="${1:-60}"

swift build --configuration release --product raftsim
raftsim=.build/release/raftsim

# The same seed is the same run in every build: event by event.
if [ -x .build/debug/raftsim ]; then
  for seed in 5 6; do
    for build in debug release; do
      .build/$build/raftsim replay $seed --ticks 1500 > .build/replay-$build.txt
    done
    cmp .build/replay-debug.txt .build/replay-release.txt
  done
  echo "a debug and a release build live through the same runs"
fi

for profile in calm rough disk membership; do
  $raftsim 1..10 --profile $profile --ticks 4000
done
$raftsim 1..30 --ticks 5000
$raftsim 1..20 --ticks 5000 --nodes 3

[ "$duration" != 0 ] || exit 0
deadline=$((SECONDS + ${duration/forever/1000000000}))
first=$(($(date +%s) * 1000))
echo "fresh seeds, from $first on"
while [ $SECONDS -lt $deadline ]; do
  $raftsim $first..$((first + 19)) --ticks 10000 --nodes $((first / 20 % 4 * 2 + 1))
  first=$((first + 20))
done
