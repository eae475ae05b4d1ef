#!/bin/sh
# A raftnode client in shell: one request, one answer, by nc.
#
# usage: client.sh HOST PORT put KEY JSON | get KEY | delete KEY | status
#
# KEY must not hold quotes or backslashes; JSON is passed on as it is. Prints the node's answer.
set -eu

usage() {
  sed -n 's/^# usage: /usage: /p' "$0" >&2
  exit 64
}

[ $# -ge 3 ] || usage
host=$1 port=$2 command=$3
shift 3
case $command/$# in
  put/2) request=$(printf '{"type":"put","key":"%s","value":%s}' "$1" "$2") ;;
  get/1) request=$(printf '{"type":"get","key":"%s"}' "$1") ;;
  delete/1) request=$(printf '{"type":"delete","key":"%s"}' "$1") ;;
  status/0) request='{"type":"status"}' ;;
  *) usage ;;
esac

# Without a newline behind it the node closes after the answer, and nc ends.
answer=$(printf '%s' "$request" | nc -w 15 "$host" "$port")
printf '%s\n' "$answer"
case $answer in
  *'"error":'*) exit 1 ;;
  '') echo "no answer" >&2; exit 1 ;;
esac
