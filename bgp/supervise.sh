#!/bin/sh
# Keeps one gobgpd running beside the agent, so that neither ends with the other.
#
#   sh supervise.sh SOCKET PIDFILE LOGFILE [gobgpd arguments...]
#
# GOBGPD names the program (default: gobgpd from PATH), GOMEMLIMIT its soft memory limit. TERM or INT ends gobgpd and
# this script. A gobgpd that an earlier, killed run of this script left is taken over, not restarted.
set -u

if [ $# -lt 3 ]; then
  echo 'Cannot supervise gobgpd: too few arguments, expected SOCKET PIDFILE LOGFILE [ARGUMENT...]' >&2
  exit 2
fi
socket=$1 pidfile=$2 logfile=$3
# For whoever knows only the socket, such as the agent, which restarts gobgpd for settings of the speaker itself.
beside=${socket%.sock}.pid
shift 3
program=${GOBGPD:-gobgpd}
GOMEMLIMIT=${GOMEMLIMIT:-256MiB}
export GOMEMLIMIT

# The API has no authentication: socket, pid file and log are the owner's alone.
umask 077

child=
pause=0
complained=

# One line for one series of failures.
complain() {
  [ -n "$complained" ] || echo "$1; trying again" | tee -a "$logfile" >&2
  complained=yes
}

is_ours() {
  kill -0 "$1" 2>/dev/null && tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF -- "--api-hosts=unix://$socket"
}

stop() {
  trap '' TERM INT
  if [ -n "$child" ] && kill -TERM "$child" 2>/dev/null; then
    # One that hangs does not keep the node from stopping.
    tries=0
    while is_ours "$child" && [ $tries -lt 30 ]; do
      # POSIX has whole seconds only.
      sleep 0.1 2>/dev/null || sleep 1
      tries=$((tries + 1))
    done
    is_ours "$child" && kill -KILL "$child" 2>/dev/null
  fi
  rm -f "$socket" "$pidfile" "$beside"
  exit 0
}
trap stop TERM INT

if [ -r "$pidfile" ] && is_ours "$(cat "$pidfile")"; then
  child=$(cat "$pidfile")
  echo "$child" >"$beside"
  echo "Took over gobgpd $child" >>"$logfile"
  while is_ours "$child"; do
    sleep 1 &
    wait $!
  done
fi

while :; do
  # A killed gobgpd leaves its socket, and the next one could not bind to it.
  rm -f "$socket"
  began=$(date +%s)
  if ! command -v "$program" >/dev/null 2>&1; then
    complain "Cannot start gobgpd \"$program\": there is no such program, expected gobgpd 3.x or 4.x"
  else
    # Since 3.20 metrics listen on TCP unless told not to; before, the option is unknown and an error.
    metrics=
    "$program" --help 2>&1 | grep -q -e '--metrics-path' && metrics=--metrics-path=
    "$program" "--api-hosts=unix://$socket" --pprof-disable $metrics "$@" >>"$logfile" 2>&1 &
    child=$!
    echo "$child" | tee "$pidfile" >"$beside"
    wait "$child"
    code=$?
    # Longer than this it did run; what ended it then is worth a line of its own.
    if [ $(($(date +%s) - began)) -ge 10 ]; then
      complained= pause=0
    fi
    complain "Cannot keep gobgpd running: it ended with code $code, see \"$logfile\""
    child=
  fi
  sleep $pause &
  wait $!
  pause=$((pause == 0 ? 1 : pause * 2))
  [ $pause -le 5 ] || pause=5
done
