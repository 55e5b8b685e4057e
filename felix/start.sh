#!/bin/sh
# Starts the agent, in place of this shell, as it is meant to run and as it is measured: felix/start.sh [--config FILE].
# The lab, the benchmarks and whatever starts the agent on a real node use this file.
#
#   --max-semi-space-size=1   the agent's garbage is short-lived and little; the default leaves tens of MB to it
#                             (the rest of the heap is kept small from when the agent is ready: small-heap.ts)
#   --expose-gc               for the collection at that moment
#   MALLOC_ARENA_MAX=1        one thread does nearly all of the work: arenas for the others would be waste
#   NODE_COMPILE_CACHE        stripped and compiled sources; the compiler of types is not even loaded then
set -u
root=$(dirname -- "$(readlink -f -- "$0")")/..
export MALLOC_ARENA_MAX=1
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$root/.build/compile-cache}"
exec "$root/node_modules/.bin/node" --disable-warning=ExperimentalWarning --max-semi-space-size=1 --expose-gc \
  "$root/felix/main.ts" "$@"
