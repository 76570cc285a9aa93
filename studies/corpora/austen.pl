# austen.pl ROOT: the six novels of the R package janeaustenr, chapter by chapter. Each novel is one record of an R
# lazy-load file: a length, then zlib data, in it the lines as R strings (flags, length, bytes; big-endian).
use strict;
use warnings;
use Compress::Zlib;
use Documents;

my ($root) = @ARGV;
my $string_flags = "\x00\x04\x00\x09";

sub records {
  my ($data) = @_;
  my @records;
  while (length $data > 4) {
    substr($data, 0, 4) = '';
    my ($inflater) = inflateInit();
    my ($record, $status) = $inflater->inflate($data);    # takes what it used off $data
    die "damaged record\n" unless $status == Z_STREAM_END;
    push @records, $record;
  }
  return @records;
}

sub lines_of {
  my ($record) = @_;
  my $at = index $record, $string_flags;
  my @lines;
  while (substr($record, $at, 4) eq $string_flags) {
    my $length = unpack 'N', substr $record, $at + 4, 4;
    $length = 0 if $length == 0xffffffff;
    push @lines, substr $record, $at + 8, $length;
    $at += 8 + $length;
  }
  return @lines;
}

for my $path (files_below($root, qr{/janeaustenr/data/Rdata\.rdb\z})) {
  for my $record (records(slurp($path))) {
    my $chapter = '';
    for my $line (lines_of($record)) {
      if ($line =~ /^\s*(?:CHAPTER|Chapter)\s/) { long_document($chapter); $chapter = '' }
      $line =~ s/_//g;                                    # italics
      $chapter .= $line eq '' ? "\n\n" : $chapter =~ /\S\z/ ? " $line" : $line;
    }
    long_document($chapter);
  }
}
