#!/bin/bash
# Writes what comes with the executable, its manual page and completions for shells, into a folder such as /usr/share.
# Usage: Scripts/share.sh EXECUTABLE FOLDER
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: Scripts/share.sh EXECUTABLE FOLDER" >&2
  exit 64
fi

# Written beside its place first, so that what is there stays if the executable fails.
put() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  "$@" >"$file.new"
  chmod 644 "$file.new"
  mv "$file.new" "$file"
}

put "$2/man/man1/raftnode.1" "$1" manual
put "$2/bash-completion/completions/raftnode" "$1" completions bash
put "$2/zsh/site-functions/_raftnode" "$1" completions zsh
put "$2/fish/vendor_completions.d/raftnode.fish" "$1" completions fish
