#!/bin/sh
# Compiles the CNI executable into .build/margay of the repository, when the source is newer than the executable.
# A static file runs on every host, whatever its C library. Tests build others: build.sh NAME FLAG...
set -eu
folder=$(dirname "$0")
source=$folder/margay.c
out=$folder/../../.build/${1:-margay}
[ $# -eq 0 ] || shift
if [ -x "$out" ] && [ -z "$(find "$source" -newer "$out")" ]; then exit 0; fi
mkdir -p "$(dirname "$out")"
if command -v musl-gcc >/dev/null 2>&1; then compiler=musl-gcc
elif command -v cc >/dev/null 2>&1; then compiler=cc
else
  echo "Cannot compile the CNI executable: there is no C compiler, expected musl-gcc or cc" >&2
  exit 1
fi
# Written aside and renamed, so that nobody runs half a file.
temporary=$out.$$
trap 'rm -f "$temporary"' EXIT
"$compiler" -std=c11 -static -Os -s -Wall -Wextra "$@" -o "$temporary" "$source"
mv "$temporary" "$out"
