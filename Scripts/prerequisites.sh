#!/bin/bash
# Makes sure that what a build needs is there, and installs by apt-get what is missing and can be had that way.
# Arguments, COMMAND or COMMAND=PACKAGE, name further commands that are needed.
set -euo pipefail

missing=()
for need in git "$@"; do
  command -v "${need%%=*}" >/dev/null || missing+=("${need##*=}")
done
# Swift links with the system's C and C++ libraries.
compgen -G '/usr/include/stdio.h' >/dev/null || missing+=(libc6-dev)
compgen -G '/usr/include/c++/*/cstdlib' >/dev/null || missing+=(g++)
compgen -G '/usr/include/rocksdb/c.h' >/dev/null || missing+=(librocksdb-dev)

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  if ! command -v apt-get >/dev/null || { [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
    echo "please install by hand: ${missing[*]}" >&2
    exit 1
  fi
  "${as_root[@]}" apt-get update -q
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

if ! command -v swift >/dev/null; then
  echo "there is no 'swift' on the PATH: install Swift 6.2 or later, see https://www.swift.org/install" >&2
  exit 1
fi
