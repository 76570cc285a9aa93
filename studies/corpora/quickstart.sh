#!/bin/sh
# Prepares the corpus `quickstart` in a store: the prose of prose.sh as bytes. Does nothing when it is there.
#   quickstart.sh STORE
# Needs what prose.sh needs, and hybrid-worker on PATH.
set -eu
[ $# -eq 1 ] && [ "$1" != --help ] || { echo "usage: $0 STORE    (for instance hyscale-store)"; exit 2; }
[ ! -f "$1/corpora/quickstart/manifest.json" ] || exit 0
"$(dirname "$0")/prose.sh" "$1/text/prose"
hybrid-worker data "$1/text/prose" --tokenizer byte --validation-tokens 100K --out "$1/corpora/quickstart"
