# What the extractors share: tidying of text and writing of documents, one {"text": ...} a line.
package Documents;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(slurp files_below plain_entities document long_document);

my $longest = 4000;    # bytes: longer texts are cut at the next end of a paragraph
my %escapes = ("\n" => '\n', "\t" => '\t', '"' => '\"', '\\' => '\\\\');

sub slurp {
  my ($path) = @_;
  local $/;
  open my $file, '<:raw', $path or die "cannot read $path: $!\n";
  my $content = <$file>;
  return $content // '';
}

# Files below a directory whose path matches, in the order of their names.
sub files_below {
  my ($root, $pattern) = @_;
  my @found;
  my @todo = ($root);
  while (defined(my $directory = pop @todo)) {
    opendir my $handle, $directory or die "cannot read $directory: $!\n";
    for my $name (readdir $handle) {
      next if $name eq '.' or $name eq '..';
      my $path = "$directory/$name";
      next if -l $path;
      if (-d $path) { push @todo, $path }
      elsif ($path =~ $pattern) { push @found, $path }
    }
  }
  return sort @found;
}

my %entities = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'", nbsp => ' ');

sub plain_entities {
  my ($text) = @_;
  $text =~ s/&(amp|lt|gt|quot|apos|nbsp);/$entities{$1}/g;
  return $text;
}

# One document: white space tidied, paragraphs kept apart by an empty line. Less than a sentence is left out, and so is
# what is not UTF-8.
sub document {
  my ($text) = @_;
  $text =~ s/\r//g;
  $text =~ s/[ \t]+\n/\n/g;
  $text =~ s/\n{3,}/\n\n/g;
  $text =~ s/\A\s+//;
  $text =~ s/\s*\z/\n/;
  return if length $text < 200 or !utf8::decode(my $copy = $text);
  $text =~ s/([\\"\n\t])/$escapes{$1}/g;
  $text =~ s/([\x00-\x1f])/sprintf '\u%04x', ord $1/ge;
  print "{\"text\": \"$text\"}\n";
}

# A text of any length, cut into documents at ends of paragraphs.
sub long_document {
  my ($text) = @_;
  my $piece = '';
  for my $paragraph (split /\n\s*\n/, $text) {
    $piece .= "$paragraph\n\n";
    if (length $piece >= $longest) { document($piece); $piece = '' }
  }
  document($piece);
}

1;
