#!/bin/sh
# What the programs say of their own command line: completion as a real bash gives it, manual pages as groff reads them.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

# offers PROGRAM "WORDS… LAST": what bash would offer after these words, the last one begun; one a line in $scratch/said
cat >offer.bash <<'END'
source <("$1" completion bash)
COMP_WORDS=($2); [[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
"$(complete -p "$1" | sed 's/.*-F \([^ ]*\) .*/\1/')"
printf '%s\n' "${COMPREPLY[@]}"
END
offers() { expect 0 bash offer.bash "$1" "$2"; }
offers_just() { [ "$(sort said | tr '\n' ' ')" = "$1 " ] || fail "offered not just: $1"; }

offers hybrid-worker "hybrid-worker tr";                      offers_just train
offers hybrid-worker "hybrid-worker bench ";                  says train
offers hybrid-worker "hybrid-worker train --check";           offers_just "--checkpoint-at --checkpoint-every"
offers hybrid-worker "hybrid-worker train --device c";        offers_just "cpu cuda"
offers hybrid-worker "hybrid-worker train run.yaml --tp ";    offers_just ""
offers hybrid-worker "hybrid-worker bench train --warm";      offers_just --warmup
offers hybrid-worker "hybrid-worker completion ";             offers_just "bash fish zsh"
offers analyze "analyze re";                                  offers_just report
offers study "study --store here sub";                        offers_just submit
offers study "study submit --wa";                             offers_just --wait
offers study "study submit --sto";                            offers_just --store   # an option of the program itself
touch 'my run.yaml'; mkdir mine "$scratch/mine too"
offers hybrid-worker "hybrid-worker inspect my";              offers_just "my run.yaml"
offers hybrid-worker "hybrid-worker train --out mi";          offers_just "mine mine too"
mkdir -p "$HYSCALE_STORE/studies/first" "$HYSCALE_STORE/studies/second"
offers study "study status f";                                offers_just first

for shell in zsh fish; do
  command -v $shell >/dev/null || { echo "skipped: no $shell here"; continue; }
  for program in hybrid-worker study analyze; do
    "$program" completion $shell >script
    expect 0 $shell -n script
  done
done
expect 2 study completion tcsh

for program in hybrid-worker study analyze; do
  "$program" manual >page
  for part in NAME SYNOPSIS OPTIONS COMMANDS EXAMPLES 'EXIT STATUS'; do
    grep -q "^.SH $part" page || fail "the manual of $program has no $part"
  done
  command -v groff >/dev/null || { echo "skipped: no groff here"; continue; }
  expect 0 groff -man -ww -z page
  [ ! -s said ] || fail "groff complains about the manual of $program"
done
command -v groff >/dev/null && {
  hybrid-worker manual | groff -man -Tutf8 | grep -q 'checkpoint.every' || fail "the manual misses --checkpoint-every"
}
