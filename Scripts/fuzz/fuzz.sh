#!/bin/bash
# Builds the fuzzer with the address sanitizer, and gives parsers mutated inputs: COUNT SEED [PARSER...]
set -euo pipefail
cd "$(dirname "$0")/../.."
count=$1 seed=$2
shift 2
[ $# -gt 0 ] || set -- json resp peer

folder=.build-fuzz
swift build --configuration release --sanitize=address --scratch-path "$folder" --product raftfuzz
program=$(swift build --configuration release --sanitize=address --scratch-path "$folder" --show-bin-path)/raftfuzz
# Swift keeps caches for as long as it runs, which are no leaks.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=64
for parser in "$@"; do
  if ! "$program" "$parser" --count "$count" --seed "$seed" --last "$folder/last-$parser"; then
    echo "failed in block $(cat "$folder/last-$parser"): $program $parser --seed $seed --count 1000" \
      "--from $(cat "$folder/last-$parser")" >&2
    exit 1
  fi
done
