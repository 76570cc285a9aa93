# For the tests that disturb studies: what they wait for, whom they hit, and what must be true afterwards. Source support.sh first.

# eventually COMMAND…: waits for it to succeed, $PATIENCE tenths of a second at most
eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt "${PATIENCE:-1200}" ] || fail "never came true: $*"; sleep 0.1; done; }
# losses: every run of study s with its results
losses() { analyze points s --csv | sort; }
# number FILE KEY: the value of "KEY": NUMBER (the last one)
number() { sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" "$1" | tail -1; }
# count_states STATE [STUDY]: how many runs of the study (s) are in it now
count_states() { study status "${2:-s}" --json >now.json 2>/dev/null || true; grep -c "\"state\": \"$1\"" now.json || true; }
# counter NAME: summed over all runs
counter() { study status s --json | sed -n "s/.*\"$1\": \\([0-9]*\\).*/\\1/p" | awk '{ n += $1 } END { print n + 0 }'; }
nothing_left() { ! ps -eo args | grep -F "$scratch" | grep -qv grep; }
# processes NAME: ids of those of that program which work for the store
processes() { ps -eo pid=,comm=,args= | awk -v name="$1" -v store="$HYSCALE_STORE/" '$2 == name && index($0, store) { print $1 }'; }
driver() { study status s --json 2>/dev/null | sed -n '/"driver": {/,/}/s/.*"pid": \([0-9]*\).*/\1/p'; }
kill_driver() { driver=$(driver); [ -z "$driver" ] || kill -KILL "$driver" 2>/dev/null || true; }

# draw MOST: a number below it; the same ones for the same HYSCALE_RANDOM_SEED
draw() {
  : "${drawn:=${HYSCALE_RANDOM_SEED:-20260301}}"
  drawn=$(((drawn * 1103515245 + 12345) % 2147483648))
  number_drawn=$((drawn / 65536 % $1))
}
# one_of WORD…: one of them, in $chosen; fails when there is none
one_of() { [ $# -gt 0 ] || return 1; draw $#; shift "$number_drawn"; chosen=$1; }
# pause_below TENTHS: a random time
pause_below() { draw "$1"; sleep "$((number_drawn / 10)).$((number_drawn % 10))"; }

# Every run: by one worker, which said so or was killed between its record and its leaving.
trained_once() {
  for run in "$HYSCALE_STORE"/runs/*; do
    id=${run##*/}
    [ -f "$run/run.h5" ] || fail "$id has no record"
    jobs=$HYSCALE_STORE/jobs/$id
    ends=$(grep -l '"exit_code": 0' "$jobs"/*/exit.json | wc -l)
    last=$jobs/$(ls "$jobs" | sort -n | tail -1)
    [ "$ends" = 1 ] || { [ "$ends" = 0 ] && grep -q '"signal": 9' "$last/exit.json"; } || {
      grep -H . "$jobs"/*/*.json >said || true
      fail "$id was trained to its end $ends times"
    }
  done
}

# same_curves STORE: every run has the curve, to the bit, that it has there; none has a gap or a step twice
same_curves() {
  for run in "$HYSCALE_STORE"/runs/*; do
    "$HYSCALE_TEST_DIR/curve" "$run/run.h5" >curve 2>said || fail "the curve of ${run##*/} is not whole"
    "$HYSCALE_TEST_DIR/curve" "$1/runs/${run##*/}/run.h5" | cmp - curve >said || fail "the curve of ${run##*/} is another one"
  done
}

# database_equals_directories: made anew from the run directories, the database says the same
database_equals_directories() {
  losses >before.csv
  study status s --json | grep -E '"(run_id|state)"' >before
  expect 0 study collect s --rebuild
  losses | cmp - before.csv || fail "the rebuilt database has other results"
  study status s --json | grep -E '"(run_id|state)"' | cmp - before || fail "the rebuilt database has other states"
}

# nothing_stays: no process, no lease, no lock, no temporary file
nothing_stays() {
  eventually nothing_left
  find "$HYSCALE_STORE" -name '*.tmp-*' >said
  [ ! -s said ] || fail "temporary files stay behind"
  find "$HYSCALE_STORE" -name lock >locks
  while read -r lock; do flock --nonblock "$lock" true || fail "$lock is held"; done <locks
  [ "$(sqlite3 "$HYSCALE_STORE/results.db" "SELECT count(*) FROM leases WHERE expires > strftime('%s', 'now')")" = 0 ] ||
    fail "a lease is still held"
}

# watch_truth: polls study status until the file `stop` is there. Notes each poll (polls) and each untruth (untruths): a run
# is done that has no record, or is done no more; an answer that is neither whole nor an error that says what is wrong
watch_truth() {
  : >polls && : >untruths && : >was_done
  while [ ! -e stop ]; do
    study status s --json >poll.json 2>poll.err && code=0 || code=$?
    echo "$code" >>polls
    if [ "$code" -gt 1 ] && ! grep -qE "database|study" poll.err; then echo "exit status $code: $(cat poll.err)" >>untruths; fi
    if [ -s poll.json ]; then
      tr -d ' ",' <poll.json | awk -F: '$1 == "run_id" { id = $2 } $1 == "state" && id != "" { print id, $2; id = "" }' >poll
      while read -r id state; do
        [ "$state" != done ] || [ -f "$HYSCALE_STORE/runs/$id/run.h5" ] || echo "$id is said to be done" >>untruths
        ! grep -qx "$id" was_done || [ "$state" = done ] || echo "$id was done and is $state" >>untruths
        [ "$state" != done ] || grep -qx "$id" was_done || echo "$id" >>was_done
      done <poll
    fi
    sleep 0.3
  done
}
