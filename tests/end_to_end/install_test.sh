#!/bin/sh
# The tarball, unpacked in a directory of its own and moved: its programs train and plan with what lies beside them.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

expect 0 cpack --config "$HYSCALE_BUILD_DIR/CPackConfig.cmake" -G TGZ -B "$scratch/package"
mkdir unpacked
tar -xzf package/hyscale-*.tar.gz -C unpacked
mv unpacked/hyscale-* "$scratch/moved here"
root="$scratch/moved here"
PATH="$root/bin:$(printf %s "$PATH" | sed "s|^$HYSCALE_BIN_DIR:||")"
[ "$(command -v study)" = "$root/bin/study" ] || fail "the test does not call the installed programs"

for file in share/man/man1/study.1 share/bash-completion/completions/analyze share/zsh/site-functions/_hybrid-worker \
  share/fish/vendor_completions.d/study.fish share/doc/hyscale/LICENSE share/doc/hyscale/docs/tour.md \
  share/hyscale/specs/quickstart.yaml share/hyscale/reference/isoflop_points.csv share/hyscale/corpora/prose.sh; do
  [ -s "$root/$file" ] || fail "the tarball has no $file"
done
cd "$root"
! grep -rlI -e "$HYSCALE_BUILD_DIR" -e "$HYSCALE_SOURCE_DIR/" . >"$scratch/said" || fail "these name the source tree"
cd "$scratch"
if command -v readelf >/dev/null; then
  for program in hybrid-worker study analyze; do
    readelf -d "$root/bin/$program" >said
    grep -q 'RUNPATH.*\[\$ORIGIN/\.\./lib' said || fail "$program does not look for libraries beside itself"
  done
fi
# also the copies of which this CPU may load none
find "$root/lib" -name 'lib*.so*' -exec ldd {} + >said
! grep -q 'not found' said || fail "an installed library does not find another one: $(grep 'not found' said)"

make_text 300 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
write_base base.yaml
expect 0 hybrid-worker train base.yaml --out run --set train.tokens=5120 --set train.schedule.warmup_tokens=512 \
  --set train.schedule.cooldown_tokens=1024
says "peak memory"
[ -f run/run.h5 ] || fail "the run has no record"

# the spec that comes with the tarball, on the tiny corpus, which its limits would refuse
cp "$root"/share/hyscale/specs/quickstart*.yaml .
sed -i '/^limits:/d' quickstart.yaml
cp -R "$HYSCALE_STORE/corpora/tiny" "$HYSCALE_STORE/corpora/quickstart"
expect 0 study plan quickstart.yaml
says transformer mamba inter intra
expect 0 analyze fit --csv "$root/share/hyscale/reference/isoflop_points.csv" --bootstrap 20 \
  --columns n=n_nonembedding,d=tokens,c=budget_flops,loss=nll
