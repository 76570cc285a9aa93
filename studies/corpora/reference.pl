# reference.pl KIND ROOT: prose out of manuals and works of reference. KIND: markdown | rst | pod | gcide | wordnet.
# Examples, tables, diagrams and code are left out: a paragraph counts as prose by its share of letters.
use strict;
use warnings;
use Compress::Zlib;
use Documents;

my ($kind, $root) = @ARGV;

sub text_of {
  my ($path) = @_;
  my $content = slurp($path);
  return $path =~ /\.(?:gz|dz)\z/ ? Compress::Zlib::memGunzip($content) // die("$path: damaged\n") : $content;
}

# Paragraphs of at least five words, nearly all letters, each on one line.
sub prose {
  my ($text) = @_;
  my @kept;
  for my $paragraph (split /\n\s*\n/, $text) {
    $paragraph =~ s/\s+/ /g;
    $paragraph =~ s/^ | $//g;
    my $letters = ($paragraph =~ tr/A-Za-z ,.\x80-\xff//);
    push @kept, $paragraph if ($paragraph =~ tr/ //) >= 4 && $letters >= 0.92 * length $paragraph;
  }
  return join "\n\n", @kept;
}

sub markdown {
  my ($text) = @_;
  $text =~ s/^#+\s*//mg;
  $text =~ s/!?\[([^\]]*)\]\([^)]*\)/$1/g;
  $text =~ s/\*\*|(?<!\w)_|_(?!\w)|(?<=[.,])_|\\(?=[^\w\s])//g;
  $text =~ s/[ \t]+([,.;:)])/$1/g;
  return $text;
}

sub rst {
  my ($text) = @_;
  $text =~ s/^\s*\.\. .*\n(?:[ \t]+\S.*\n)*//mg;                 # directives and comments
  $text =~ s/^([=\-~^"'*+#`.:_])\1{2,}[ \t]*$//mg;               # underlines of headings
  $text =~ s/^\s*:[\w -]+:.*\n//mg;                              # field lists
  $text =~ s/:[\w:+-]+:`~?([^`<]*?)\s*(?:<[^`]*>)?`/$1/g;        # roles
  $text =~ s/`([^`<]+?)\s*<[^`]*>`__?/$1/g;                      # links
  $text =~ s/``?([^`]*)``?_?/$1/g;
  $text =~ s/\*\*([^*\n]+)\*\*|(?<!\w)\*([^*\n]+)\*/$1 \/\/ $2/ge;
  $text =~ s/::[ \t]*$/:/mg;
  return $text;
}

my %pod_escapes = (lt => '<', gt => '>', verbar => '|', sol => '/');

sub pod {
  my ($text) = @_;
  $text =~ s/^=(?:begin|for)\b.*?^=(?:end\b.*|cut)$//msg;
  $text =~ s/^=(?:item|head\d)[ \t]*(?:\*|\d+\.?)?[ \t]*//mg;
  $text =~ s/^=\w+.*$//mg;
  $text =~ s/^[ \t]+\S.*$//mg;                                   # examples are indented
  $text =~ s/E<(\w+)>/$pod_escapes{$1} \/\/ ''/ge;
  $text =~ s/[ZX]<[^<>]*>//g;
  1 while $text =~ s/L<(?:([^<>|]*)\|)?([^<>]*)>/$1 \/\/ $2/ge
       or $text =~ s/[BCFIS]<<+ (.*?) >>+/$1/gs
       or $text =~ s/[BCFIS]<([^<>]*)>/$1/g;
  return $text;
}

sub gcide {
  my ($text) = @_;
  $text =~ s/\A.*?\n(?=A \\A\\|A \()//s;                          # notes of the editors
  $text =~ s/\\[^\\\n]*\\//g;                                    # pronunciation
  $text =~ s/\(\[?[^()\s]*\[[^()]*\)//g;
  $text =~ s/\[[^\[\]]*(?:Webster|WordNet|PJC|AS|GCIDE|JM|BG|RP|CAC|ISO|RDH)[^\[\]]*\][^\n]*//g;
  $text =~ s/\[(?:[^\[\]]|\[[^\[\]]*\])*\]//g;                   # etymologies
  $text =~ s/[{}]//g;
  $text =~ s/^(\S[^,\n]*?)\s*,\s*(?:n|a|v\. ?[it]|adv|prep|conj|interj|p\. ?p|imp)\b\.?/$1:/mg;
  $text =~ s/ +([,;.:)])/$1/g;
  return $text;
}

sub wordnet {
  my ($text) = @_;
  my @glosses;
  for (split /\n/, $text) {
    my ($synset, $gloss) = /^\d{8} \d\d \w (.*?) \| (.*?)\s*$/ or next;
    my ($count, @fields) = split / /, $synset;
    my @words = map { $fields[2 * $_] } 0 .. hex($count) - 1;
    my $words = join ', ', @words;
    $words =~ tr/_/ /;
    $words =~ s/\([a-z]+\)//g;
    push @glosses, "\u$words: $gloss.";
  }
  return join "\n\n", @glosses;
}

my %sources = (
  markdown => [qr/\.md(?:\.gz)?\z/, sub { prose(markdown(@_)) }],
  rst => [qr/\.rst(?:\.txt)?(?:\.gz)?\z/, sub { prose(rst(@_)) }],
  pod => [qr/\.pod(?:\.gz)?\z/, sub { prose(pod(@_)) }],
  gcide => [qr/gcide\.dict\.dz\z/, sub { prose(gcide(@_)) }],
  wordnet => [qr/wordnet\/data\.\w+\z/, sub { wordnet(@_) }],
);
my ($names, $clean) = @{$sources{$kind} // die "no kind $kind\n"};
for my $path (files_below($root, $names)) {
  next if $path =~ m{/translations/};    # of the Linux documentation: English only
  long_document($clean->(text_of($path)));
}
