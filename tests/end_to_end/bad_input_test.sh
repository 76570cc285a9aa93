#!/bin/sh
# What a person sees who gets it wrong: every problem at once, where it is, how to mend it, and the right exit status.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

# --- every program says its version, every command shows an example
for program in hybrid-worker study analyze; do
  expect 0 "$program" --version
  says "$program 0." commit
done
for command in train eval generate inspect data tokenize export import; do expect 0 hybrid-worker $command --help; says Example; done
for command in plan submit status watch logs cancel retry collect list diff; do
  expect 0 study $command --help; says Example
done
for command in fit isoflop points report; do expect 0 analyze $command --help; says Example; done
expect 2 hybrid-worker tarin
expect 2 study
expect 2 study status nothing
says "there is no results database" "submit a study first"

# --- a run config with several mistakes: all at once, each with its place
write_base good.yaml
sed -e 's/d_model: 16/d_modle: 16/' -e 's/head_dim: 16, d_state/head_dim: 7, d_state/' -e 's/tokens: 25600/tokens: 25601/' \
    -e 's/lr: 3e-3/lr: fast/' good.yaml >bad.yaml
expect 2 hybrid-worker inspect bad.yaml
says "unknown key 'model.d_modle'" "did you mean 'd_model'?" "bad.yaml:5:3" "lr should be a number, not 'fast'" \
     "bad.yaml:8:30" "not a multiple of head_dim = 7" "train.tokens = 25601" "use 25600 or 25856" "try:"
sed 's/stack: AM/stack: AXM/' good.yaml >stack.yaml
expect 2 hybrid-worker inspect stack.yaml
says "    AXM" "     ^" "stack.yaml:12"
expect 2 hybrid-worker inspect absent.yaml
says "there is no run config at absent.yaml"
expect 2 hybrid-worker inspect good.yaml --set model.d_model=-4
says model.d_model
expect 2 hybrid-worker inspect good.yaml --set model.d_model=1e30
says model.d_model
printf 'format: hyscale.run/1\nmodel: {a: [1, 2\n' >torn.yaml
expect 2 hybrid-worker inspect torn.yaml
says "torn.yaml:"
expect 2 hybrid-worker train good.yaml --out run --time-limit 0s
says "--time-limit 0s"

# --- missing, wrong and broken text; a tokenizer that is not the model's
expect 2 hybrid-worker train good.yaml --out run
says "there is no corpus" tiny "hybrid-worker data"
make_text 60 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
for vocabulary in 200 4096 386; do
  sed "s/vocabulary: 258/vocabulary: $vocabulary/" good.yaml >vocabulary.yaml
  expect 2 hybrid-worker train vocabulary.yaml --out run
  says "model.vocabulary is $vocabulary" "has 258" "set model.vocabulary to 258"
done
expect 0 hybrid-worker train good.yaml --out padded --set model.vocabulary=384 --set train.tokens=12800
expect 2 hybrid-worker data text.jsonl --tokenizer wordpiece --out elsewhere
says wordpiece byte bpe
printf '{"text": "fine"}\n{"text": 5}\nnot json\n' >broken.jsonl
expect 2 hybrid-worker data broken.jsonl --tokenizer byte --out elsewhere
says "broken.jsonl:2" "broken.jsonl:3"
[ ! -e elsewhere ] || fail "a refused corpus left something behind"

# --- a span of time that is none; a device that is not here; a directory that cannot be made: a file stands in its way (root ignores permissions)
expect 2 hybrid-worker train good.yaml --out run --time-limit .
says "--time-limit . is no span of time" "HH:MM:SS"
expect 2 env CUDA_VISIBLE_DEVICES=-1 hybrid-worker train good.yaml --out run --device cuda
says CUDA "or use --device cpu"
expect 2 env CUDA_VISIBLE_DEVICES=-1 hybrid-worker bench kernels
says CUDA
says_not --device
expect 0 env CUDA_VISIBLE_DEVICES=-1 hybrid-worker train good.yaml --out on-cpu --device auto --set train.tokens=12800
says "no GPU that CUDA can use is here"
: >in-the-way
expect 1 hybrid-worker train good.yaml --out in-the-way/run
says in-the-way
[ ! -e run ] || fail "a refused run left something behind"

# --- an existing run is never overwritten, and a resume of nothing is an error
expect 0 hybrid-worker train good.yaml --out run --checkpoint-every 20 --set train.tokens=12800
expect 2 hybrid-worker train good.yaml --out run --set train.tokens=12800
says "--resume"
expect 2 hybrid-worker train good.yaml --out run --resume
says "train.tokens is 12800 there and 25600 here"
mkdir empty
expect 2 hybrid-worker train good.yaml --out empty --resume
says run.yaml

# --- a loss that is no number ends with 4, and again so
wild="--set train.optimizer.lr=1000 --set train.optimizer.clip=1e6 --set train.schedule.warmup_tokens=256"
expect 4 hybrid-worker train good.yaml --out wild $wild
says "diverged at step" "lower learning rate"
expect 4 hybrid-worker train good.yaml --out wild $wild --resume

# --- stopped on request: 75; then damage in the newest checkpoint and in the journal is named, and nothing else is lost
# (a hundred thousand steps: it does not end by itself)
long="--max-epochs none --set train.tokens=25600000"
(while [ "$(ls torn/checkpoints 2>/dev/null | grep -c step-)" -lt 2 ]; do sleep 0.1; done; : >torn/stop) &
expect 75 hybrid-worker train good.yaml --out torn $long --checkpoint-every 10
says "stopped and checkpointed: the stop file is there; --resume carries on"
newest=$(ls torn/checkpoints/step-* | tail -1)
printf x | dd of="$newest" bs=1 seek=20000 conv=notrunc 2>/dev/null
printf 'no row at all' >>torn/journal
(while ! grep -q '"attempt": 2' torn/status.json; do sleep 0.1; done; : >torn/stop) &
expect 75 hybrid-worker train good.yaml --out torn $long --checkpoint-every 10 --resume
says "$newest is damaged" "the checkpoint before it is used" "the last line is torn" "begins after step"
expect 2 hybrid-worker inspect "$newest.gone"
cp run/checkpoints/step-000000050.h5 damaged.h5
printf x | dd of=damaged.h5 bs=1 seek=20000 conv=notrunc 2>/dev/null
expect 1 hybrid-worker inspect damaged.h5
says "damaged.h5 is damaged"
expect 0 hybrid-worker inspect run/checkpoints/step-000000050.h5
says "step    50 of 50" "weights/embedding.weight" "[258, 16]"

# --- a full disk ends the attempt; with space again the run goes on to its end
if mkdir small && mount -t tmpfs -o size=200k tmpfs small 2>/dev/null; then
  trap 'umount "$scratch/small"; rm -rf "$scratch"' EXIT
  expect 1 hybrid-worker train good.yaml --out small/run --checkpoint-every 10 --keep 100
  says "space"
  mount -o remount,size=50m small
  expect 0 hybrid-worker train good.yaml --out small/run --checkpoint-every 10 --keep 100 --resume
else
  echo "SKIPPED: no tmpfs can be mounted here, so no disk was filled"
fi

# --- study specs: all violations with their places
write_base base.yaml
write_study good-study.yaml careful "[6e9, 1.2e10]"
expect 0 study plan good-study.yaml
sed -e 's/^learning_rate/learning_rat/' -e 's/{stack: A}/{stak: A}/' -e 's/warmup: 0.25/warmup: 25/' \
    -e 's/6e9/none/' good-study.yaml >bad-study.yaml
expect 2 study plan bad-study.yaml
says "bad-study.yaml:15:1" "did you mean 'learning_rate'?" "bad-study.yaml:5:" stak "bad-study.yaml:17:" warmup \
     "bad-study.yaml:13:" "not 'none'"
expect 2 study submit bad-study.yaml
[ ! -e "$HYSCALE_STORE/results.db" ] || fail "a refused study made a database"
sed 's/vocabulary: 258/vocabulary: 4096/' good.yaml >base.yaml
expect 2 study plan good-study.yaml
says "base.yaml" "model.vocabulary is 4096" "set model.vocabulary to 258"
cp good.yaml base.yaml
expect 2 env PATH=/nowhere "$HYSCALE_BIN_DIR/study" submit good-study.yaml --on slurm
says "no Slurm here" "--on local"
expect 2 study submit absent.yaml
says absent.yaml

# --- a failing run fails the study (1), its log is where status says; the database damaged, newer, or locked
expect 1 env HYSCALE_WORKER=/bin/false study submit good-study.yaml --wait
says "16 failed" "exit code 1" log
expect 0 study retry careful
expect 0 study watch careful
says "16 done"
expect 0 study logs careful
says "done" log.txt
expect 2 study status nowhere
says "there is no study nowhere" careful
cp "$HYSCALE_STORE/results.db" good.db
printf 'this is no database, but it is long enough to be taken for one if nobody looks' >"$HYSCALE_STORE/results.db"
expect 1 study status careful
says "--rebuild"
expect 0 study collect careful --rebuild
says "16 of them done"
cp good.db "$HYSCALE_STORE/results.db"
printf '\000\000\003\347' | dd of="$HYSCALE_STORE/results.db" bs=1 seek=60 conv=notrunc 2>/dev/null  # user_version 999
expect 2 study status careful
says "schema version 999" "newer program"
cp good.db "$HYSCALE_STORE/results.db"
rm -rf "$HYSCALE_STORE/corpora/tiny"
expect 2 study submit good-study.yaml
says "there is no corpus"
expect 0 study status careful
says "16 done"
