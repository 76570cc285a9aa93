# Shared by prose.sh and large.sh: takes text out of Debian packages, one .jsonl file a package, without installing any.
# Sourced with $outdir set.

here=$(dirname "$0")
records=$outdir/licences

fail() {
  echo "$(basename "$0"): $1" >&2
  [ -z "${2:-}" ] || echo "  try:     $2" >&2
  exit 1
}

check_tools() {
  for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null ||
      fail "no $tool here: this script takes its text out of Debian or Ubuntu packages" \
           "run it on such a system, or bring your own text (docs/data.md)"
  done
  perl -MCompress::Zlib -e 1 2>/dev/null || fail "perl with Compress::Zlib is missing" "apt-get install perl"
  mkdir -p "$records" && [ -w "$outdir" ] || fail "cannot write to $outdir" "choose a directory you may write to"
  scratch=$(mktemp -d "$outdir/.unpacking-XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 130' INT TERM
}

# The versioned package that an unversioned one stands for: linux-doc -> linux-doc-6.1
package_behind() {
  apt-cache depends --no-recommends --no-suggests "$1" 2>/dev/null | awk -v stem="$2" '$1 == "Depends:" && index($2, stem) == 1 { print $2; exit }'
}

# add PACKAGE LICENCE "WHAT IT IS" EXTRACTOR [ARGUMENT...]: writes $outdir/PACKAGE.jsonl unless it is there. The
# extractor is a Perl file beside this one; it is run with the unpacked package's root as its last argument.
add() {
  package=$1 licence=$2 what=$3 extractor=$4
  shift 4
  if [ -s "$outdir/$package.jsonl" ] && [ -s "$records/$package.source" ]; then
    echo "$package: already there"
    return
  fi
  (cd "$scratch" && apt-get -q -o APT::Sandbox::User=root download "$package" >download.log 2>&1) || {
    cat "$scratch/download.log" >&2
    fail "cannot download the package $package" "check the network; when apt does not know it, run apt-get update as root"
  }
  dpkg-deb -x "$scratch/$package"_*.deb "$scratch/$package" || fail "cannot unpack $package"
  perl -I "$here" "$here/$extractor" "$@" "$scratch/$package" >"$scratch/$package.jsonl" ||
    fail "cannot read the text of $package" "this release of the package may be laid out differently"
  [ -s "$scratch/$package.jsonl" ] || fail "$package holds no text where it used to" "leave it out of $(basename "$0")"
  version=$(dpkg-deb -f "$scratch/$package"_*.deb Version)
  cp "$scratch/$package/usr/share/doc/$package/copyright" "$records/$package"
  printf '| %s | %s | %s | %s |\n' "$package" "$version" "$what" "$licence" >"$records/$package.source"
  mv "$scratch/$package.jsonl" "$outdir/$package.jsonl"
  rm -rf "${scratch:?}/$package" "$scratch/$package"_*.deb
  echo "$package: $(wc -l <"$outdir/$package.jsonl") documents, $(wc -c <"$outdir/$package.jsonl") bytes"
}

write_sources() {
  {
    echo "# Where this text comes from"
    echo
    echo "Taken out of Debian packages and cleaned of markup; each package's copyright file is in licences/."
    echo
    echo "| package | version | text | licence |"
    echo "|---|---|---|---|"
    cat "$records"/*.source
  } >"$scratch/SOURCES.md"
  mv "$scratch/SOURCES.md" "$outdir/SOURCES.md"
  echo "in all: $(cat "$outdir"/*.jsonl | wc -c) bytes in $outdir; sources and licences in $outdir/SOURCES.md"
}
