#!/bin/sh
# Text → corpus → plan → study → report, with the real programs; then the same again, which must train nothing.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

make_text 400 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 8K --out "$HYSCALE_STORE/corpora/tiny"

write_base base.yaml
write_study study.yaml small "[6e9, 1.2e10]" \
  'inter:       {family: inter, ratio: "1:1", placement: end}' \
  'intra:       {family: intra, ratio: "1:1", placement: end}'
sed -i '/^resources/d' study.yaml  # as the back end decides

expect 0 study plan study.yaml
says transformer intra s4
[ ! -e "$HYSCALE_STORE/runs" ] || fail "plan made run directories"

expect 0 study submit study.yaml --wait
expect 0 study status small --json
says '"done"'
done_runs=$(ls "$HYSCALE_STORE/runs" | wc -l)
[ "$done_runs" -ge 30 ] || fail "only $done_runs runs"
for run in "$HYSCALE_STORE"/runs/*; do [ -f "$run/run.h5" ] || fail "$run has no record"; done

before=$(ls -l --time-style=full-iso "$HYSCALE_STORE"/runs/*/run.h5)
expect 0 study submit study.yaml --wait
[ "$before" = "$(ls -l --time-style=full-iso "$HYSCALE_STORE"/runs/*/run.h5)" ] || fail "a finished run was trained again"

# a second study over the same runs trains nothing either
sed 's/^study: small/study: again/' study.yaml >again.yaml
expect 0 study submit again.yaml --wait
[ "$before" = "$(ls -l --time-style=full-iso "$HYSCALE_STORE"/runs/*/run.h5)" ] || fail "another study trained a known run again"

expect 0 analyze report small --out report
says transformer mamba inter intra
[ -s report/report.html ] || fail "no report"
! grep -qE '(src|href)="https?:' report/report.html || fail "the report asks for something from outside"

# the database is only a copy of what the run directories say
expect 0 analyze points small --csv
cp said points.before
rm -f "$HYSCALE_STORE"/results.db*
expect 0 study collect small --rebuild
expect 0 analyze points small --csv
cmp -s said points.before || fail "the rebuilt database tells another story"
