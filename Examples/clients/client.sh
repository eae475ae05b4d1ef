#!/bin/sh
# A raftnode client in shell: one request, one answer, by nc.
#
# usage: client.sh HOST PORT put KEY JSON [NAMESPACE]
#        client.sh HOST PORT get KEY [NAMESPACE]
#        client.sh HOST PORT delete KEY [NAMESPACE]
#        client.sh HOST PORT status
#
# KEY and NAMESPACE are texts of one line; JSON is passed on as it is. Prints the node's answer. Ends with 0 if the request
# was carried out, 1 if it was refused and has no effect, 2 if that is not known.
set -eu

usage() {
  sed -n 's/^# \(.*client\.sh HOST.*\)/\1/p' "$0" >&2
  exit 64
}

# Makes a JSON string of a text.
quoted() {
  printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g; s/	/\\t/g')"
}

[ $# -ge 3 ] || usage
host=$1 port=$2 command=$3
shift 3
case $command/$# in
  put/2 | put/3) fields=",\"key\":$(quoted "$1"),\"value\":$2,\"namespace\":$(quoted "${3:-default}")" ;;
  get/1 | get/2 | delete/1 | delete/2) fields=",\"key\":$(quoted "$1"),\"namespace\":$(quoted "${2:-default}")" ;;
  status/0) fields= ;;
  *) usage ;;
esac

# Without a newline behind it the node closes after the answer, and nc ends.
answer=$(printf '{"type":"%s"%s}' "$command" "$fields" | nc -w 15 "$host" "$port") || answer=
printf '%s\n' "${answer:-no answer}"
case $answer in
  "{\"type\":\"$command\",\"data\":false,"*'"outcome":"not_executed"}}') exit 1 ;;
  '{"type":"error",'*'"outcome":"not_executed"}}') exit 1 ;;
  "{\"type\":\"$command\",\"data\":false,"*) exit 2 ;;
  '{'*'}') exit 0 ;;
  # Nothing, or an answer that was cut off.
  *) exit 2 ;;
esac
