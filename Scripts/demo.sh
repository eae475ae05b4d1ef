#!/bin/bash
# Starts three nodes on this machine, writes through one and reads through another; or stops them.
# usage: Scripts/demo.sh start|stop
set -euo pipefail
cd "$(dirname "$0")/.."

raftnode=$PWD/.build/debug/raftnode
state=.build/demo

# The process ids of the demo's nodes that still run. A number may have been given to another process since.
running() {
  local file pid
  for file in "$state"/node-*.pid; do
    [ -e "$file" ] || continue
    pid=$(<"$file")
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q 'raftnode --ip'; then echo "$pid"; fi
  done
}

# Stops them; false if there is none.
stop() {
  local pids i
  pids=$(running)
  if [ -z "$pids" ]; then
    rm -rf "$state"
    return 1
  fi
  # shellcheck disable=SC2086
  kill -TERM $pids
  for ((i = 0; i < 100; i++)); do
    if [ -z "$(running)" ]; then break; fi
    sleep 0.1
  done
  if [ -n "$(running)" ]; then
    echo "these nodes have not stopped: $(running | tr '\n' ' ')" >&2
    exit 1
  fi
  rm -rf "$state"
  echo "stopped the demo's nodes"
}

# Runs a node in the place of this shell, without what the shell has inherited beyond input, output and errors: a node
# outlives its caller, and would go on holding the caller's locks and pipes.
become_node() {
  local path descriptor
  for path in /proc/self/fd/*; do
    descriptor=${path##*/}
    if [ "$descriptor" -gt 2 ]; then exec {descriptor}>&-; fi
  done
  # Without a hang-up, so that the node outlives the terminal.
  exec nohup "$raftnode" "$@"
}

# Whether nobody listens at a port of this machine.
is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Sends one request to a port and prints the one line of the answer.
ask() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf '%s\n' "$2" >&3
  IFS= read -r -t 15 answer <&3 || return 1
  exec 3>&-
  printf '%s\n' "$answer"
}

# Prints the log of a node that did not do what it should, and gives up.
give_up() {
  echo "$1; the logs are in $state:" >&2
  tail -n 5 "$state"/node-*.log >&2
  # shellcheck disable=SC2046
  kill -TERM $(running) 2>/dev/null || true
  exit 1
}

start() {
  local ports=() addresses port i answer
  for ((port = 5001; port < 65000 && ${#ports[@]} < 3; port++)); do
    if is_free "$port"; then ports+=("$port"); fi
  done
  addresses="127.0.0.1:${ports[0]},127.0.0.1:${ports[1]},127.0.0.1:${ports[2]}"
  mkdir -p "$state"
  for i in 0 1 2; do
    echo "starting: raftnode --ip 127.0.0.1:${ports[i]} --peers $addresses"
    become_node --ip "127.0.0.1:${ports[i]}" --peers "$addresses" </dev/null >"$state/node-$((i + 1)).log" 2>&1 &
    echo $! >"$state/node-$((i + 1)).pid"
  done

  for port in "${ports[@]}"; do
    for ((i = 0; i < 200; i++)); do
      if [ "$(running | wc -l)" -ne 3 ]; then give_up "a node has stopped"; fi
      answer=$(ask "$port" '{"type":"status"}' 2>/dev/null) || answer=
      if [[ $answer == *'"leader":"'* ]]; then break; fi
      sleep 0.1
    done
    if [[ $answer != *'"leader":"'* ]]; then give_up "the node at port $port found no leader"; fi
  done
  echo
  show "${ports[0]}" '{"type":"put","key":"greeting","value":"hello","namespace":"demo"}' '"data":true'
  show "${ports[1]}" '{"type":"get","key":"greeting","namespace":"demo"}' '"value":"hello"'
  explain "${ports[@]}"
}

# Asks, shows question and answer, and insists on a part of the answer.
show() {
  local answer
  echo "to   127.0.0.1:$1  $2"
  answer=$(ask "$1" "$2") || give_up "the node at port $1 does not answer"
  echo "from 127.0.0.1:$1  $answer"
  if [[ $answer != *"$3"* ]]; then give_up "the answer should contain $3"; fi
}

explain() {
  cat <<TEXT

Three nodes are running: 127.0.0.1:$1, 127.0.0.1:$2 and 127.0.0.1:$3. Ask any of them, for example:

  printf '{"type":"get","key":"greeting","namespace":"demo"}' | nc 127.0.0.1 $3

  python3 -c 'import socket; s = socket.create_connection(("127.0.0.1", $2)); s.sendall(b"{\"type\": \"status\"}"); print(s.recv(1024).decode())'

  exec 3<>/dev/tcp/127.0.0.1/$1; echo '{"type":"peers"}' >&3; head -n 1 <&3; exec 3>&-    # bash alone

Their logs are $state/node-1.log to node-3.log. To see the others take over, stop one: kill \$(cat $state/node-1.pid)
To stop them all: make demo-stop
TEXT
}

case "${1:-}" in
start)
  stop || true
  start
  ;;
stop) stop || echo "nothing to stop: no node of the demo runs" ;;
*)
  echo "usage: Scripts/demo.sh start|stop" >&2
  exit 64
  ;;
esac
