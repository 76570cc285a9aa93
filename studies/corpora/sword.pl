# sword.pl chapters|commentary ROOT: the text of a SWORD module with OSIS markup. A module is a file of zlib blocks with an
# index of (offset, compressed size, size), little-endian 32-bit numbers. `chapters` leaves out what stands before a
# book's first chapter (editor's notes); `commentary` keeps it.
use strict;
use warnings;
use Compress::Zlib;
use Documents;

my ($kind, $root) = @ARGV;

sub blocks {
  my ($index_path, $data_path) = @_;
  my ($index, $data) = (slurp($index_path), slurp($data_path));
  my @blocks;
  for (my $at = 0; $at + 12 <= length $index; $at += 12) {
    my ($offset, $size) = unpack 'V2', substr $index, $at, 8;
    next unless $size;
    my $text = uncompress(substr $data, $offset, $size);
    die "$data_path: damaged block at $offset\n" unless defined $text;
    push @blocks, $text;
  }
  return @blocks;
}

sub without_markup {
  my ($text) = @_;
  $text =~ s/\s+/ /g;
  $text =~ s{</note><w\b}{</note> <w}g;    # a note may stand where the space should be
  $text =~ s{<(note|table|catchWord|rdg)\b[^>]*(?<!/)>.*?</\1>}{}g;
  $text =~ s{<title\b[^>]*>(.*?)</title>}{\n\n$1\n\n}g;
  $text =~ s{<div\b[^>]*type="(?:x-p|paragraph|introduction)"[^>]*>}{\n\n}g;
  $text =~ s{<milestone\b[^>]*type="x-p"[^>]*>}{\n\n}g;
  $text =~ s{</?(?:lg|list|chapter)\b[^>]*>}{\n\n}g;
  $text =~ s{<(?:l\b(?![^>]*\beID=)|lb\b|item\b)[^>]*>}{\n}g;
  $text =~ s/<[^>]*>//g;
  $text =~ s/\n\s*Chapter Outline\s*\n/\n\n/g;    # a table, left out above
  $text = plain_entities($text);
  $text =~ s/\xc2\xb6\s*//g;       # pilcrow signs
  $text =~ s/[ \t]+/ /g;
  $text =~ s/ ?\n ?/\n/g;
  $text =~ s/ +([,;:.!?])/$1/g;
  return $text;
}

for my $index (files_below($root, qr{/modules/.*\.[bc]zs\z})) {
  (my $data = $index) =~ s/s\z/z/;
  for my $block (blocks($index, $data)) {
    my ($before, @chapters) = split /(?=<chapter\b[^>]*\bsID=)/, $block;
    unshift @chapters, $before if $kind eq 'commentary' or $before =~ /^<chapter\b[^>]*\bsID=/;
    long_document(without_markup($_)) for @chapters;
  }
}
