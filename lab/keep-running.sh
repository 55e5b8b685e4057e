#!/bin/sh
# Keeps a program running: starts it, writes its process id to a file, and starts it again one second after it ended.
# SIGTERM ends the program and then this.
#   sh keep-running.sh PIDFILE LOGFILE COMMAND [ARGUMENT…]
set -u
umask 077
pidfile=$1
logfile=$2
shift 2
child=

stop() {
  trap '' TERM INT HUP
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null
    wait "$child"
  fi
  rm -f "$pidfile"
  exit 0
}
trap stop TERM INT HUP

while :; do
  "$@" </dev/null >>"$logfile" 2>&1 &
  child=$!
  echo "$child" >"$pidfile.new" && mv -f "$pidfile.new" "$pidfile"
  wait "$child"
  status=$?
  echo "keep-running: process $child ended with status $status, starting it again in 1 s" >>"$logfile"
  child=
  sleep 1 &
  wait $!
done
