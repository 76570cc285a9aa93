#!/bin/sh
# on_this_cpu.sh INSTRUCTION-SET PROGRAM…: runs PROGRAM where the CPU has the instruction set, else ends with 77 (skipped).
set -eu
wanted=$1
shift
/lib64/ld-linux-x86-64.so.2 --help | grep -q "^ *$wanted (supported" || { echo "this CPU has no $wanted"; exit 77; }
exec "$@"
