#!/bin/sh
# Makes more than 100 MB of English text as .jsonl, for serious studies: the prose of prose.sh, essays, manuals and works
# of reference, all under free licences.
#   large.sh OUTDIR
# Needs apt and perl, no root and no installation. What is already in OUTDIR is kept.
set -eu
[ $# -eq 1 ] && [ "$1" != --help ] || { echo "usage: $0 OUTDIR    (for instance hyscale-store/text/large)"; exit 2; }
outdir=$1
. "$(dirname "$0")/common.sh"

check_tools
. "$here/prose_packages.sh"
linux_doc=$(package_behind linux-doc linux-doc-)
python_doc=$(package_behind python3-doc python3.)
[ -n "$linux_doc" ] && [ -n "$python_doc" ] ||
  fail "apt knows no linux-doc or no python3-doc" "run apt-get update as root; prose.sh needs neither"
add anarchism "GPL-2" "An Anarchist FAQ: essays" reference.pl markdown
add "$linux_doc" "GPL-2" "Linux kernel documentation, in English, prose only" reference.pl rst
add "$python_doc" "Python Software Foundation License" "Python documentation, prose only" reference.pl rst
add perl-doc "GPL-1+ or Artistic" "Perl documentation, prose only" reference.pl pod
add dict-gcide "GPL-2+" "GNU Collaborative International Dictionary of English: definitions and quotations" reference.pl gcide
add wordnet-base "WordNet license" "WordNet: words and their glosses" reference.pl wordnet
write_sources
