# The packages of prose.sh and the first of large.sh; sourced after common.sh.
domain="public domain"
add r-cran-janeaustenr "$domain (packaging: MIT)" "Jane Austen, six novels" austen.pl
add sword-comm-tdavid "$domain" "C. H. Spurgeon, The Treasury of David (1885)" sword.pl commentary
add sword-comm-mhcc "$domain" "Matthew Henry, Concise Commentary" sword.pl commentary
add sword-text-web "$domain" "World English Bible, cleaned of notes" sword.pl chapters
add sword-text-kjv "$domain (in the United Kingdom under letters patent)" "King James Version, cleaned of notes" sword.pl chapters
