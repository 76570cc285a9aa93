#!/bin/sh
# Makes about 28 MB of English prose, all in the public domain, as .jsonl: the text of the quickstart.
#   prose.sh OUTDIR
# Needs apt and perl, no root and no installation. What is already in OUTDIR is kept.
set -eu
[ $# -eq 1 ] && [ "$1" != --help ] || { echo "usage: $0 OUTDIR    (for instance hyscale-store/text/prose)"; exit 2; }
outdir=$1
. "$(dirname "$0")/common.sh"

check_tools
. "$here/prose_packages.sh"
write_sources
