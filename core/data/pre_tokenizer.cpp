#include "core/data/pre_tokenizer.h"

#include "core/data/unicode.h"

namespace hyscale::data {

/// One text on its way through the stages.
struct PreTokenizer::Walk {
  const std::vector<PreTokenStage>& stages;
  Scratch& scratch;
  const Sink& sink;

  void run(size_t stage, Piece piece) {
    if (piece.text.empty()) return;
    if (stage == stages.size()) return sink(piece.text);
    std::visit([&](const auto& found) { apply(found, stage, piece); }, stages[stage]);
  }

  // A part of a piece, on to the next stage.
  void pass(size_t stage, const Piece& piece, size_t begin, size_t end) {
    if (end > begin)
      run(stage + 1,
          {piece.text.substr(begin, end - begin), piece.match.substr(begin, end - begin), piece.first && begin == 0});
  }

  void apply(const SplitStage& split, size_t stage, const Piece& piece) {
    Joiner joiner{*this, split.behavior, stage, piece};
    size_t done = 0, from = 0;
    SplitPattern::Match match;
    while (from <= piece.match.size() && split.pattern.find(piece.match, from, match, scratch.search)) {
      from = match.end;
      if (match.begin == match.end) {  // splits without taking anything
        from = match.end + 1;
        while (from < piece.match.size() && (static_cast<unsigned char>(piece.match[from]) & 0xC0) == 0x80) ++from;
        if (match.begin == done) continue;
      }
      if (match.begin > done) joiner.add(done, match.begin, split.invert);
      if (match.end > match.begin) joiner.add(match.begin, match.end, !split.invert);
      done = match.end;
    }
    if (done < piece.text.size()) joiner.add(done, piece.text.size(), split.invert);
    joiner.finish();
  }

  void apply(const PrefixStage& prefix, size_t stage, const Piece& piece) {
    if (piece.text.starts_with(prefix.prefix) || (prefix.first_only && !piece.first)) return run(stage + 1, piece);
    std::string& text = changed(stage);
    text.assign(prefix.prefix).append(piece.text);
    run_changed(stage, piece);
  }

  void apply(const ReplaceSpaceStage& replace, size_t stage, const Piece& piece) {
    std::string& text = changed(stage);
    text.clear();
    for (const char c : piece.text)
      if (c == ' ')
        text += replace.replacement;
      else
        text += c;
    run_changed(stage, piece);
  }

  void apply(const CutStage& cut, size_t stage, const Piece& piece) {
    const size_t length = cut.mark.size();
    size_t done = 0, from = 0;
    for (size_t at = piece.text.find(cut.mark); at != std::string_view::npos; at = piece.text.find(cut.mark, from)) {
      if (at > from || at == 0) pass(stage, piece, done, at), done = at;
      from = at + length;
    }
    pass(stage, piece, done, piece.text.size());
  }

  std::string& changed(size_t stage) {
    if (scratch.changed.size() < 2 * stages.size()) scratch.changed.resize(2 * stages.size());
    return scratch.changed[2 * stage];
  }

  void run_changed(size_t stage, const Piece& piece) {
    std::string& text = scratch.changed[2 * stage];
    std::string& match = scratch.changed[2 * stage + 1];
    const bool differs = with_stand_ins(text, match);
    run(stage + 1, {text, differs ? match : text, piece.first});
  }

  /// Joins matches and what lies between them to words.
  struct Joiner {
    Walk& walk;
    SplitBehavior behavior;
    size_t stage;
    const Piece& piece;
    size_t begin = 0, end = 0;  // of the word that may still grow
    bool match = false;         // whether the latest part of it is one

    void add(size_t from, size_t to, bool is_match) {
      const bool joins = behavior == SplitBehavior::contiguous             ? is_match == match
                         : behavior == SplitBehavior::merged_with_previous ? is_match && !match
                         : behavior == SplitBehavior::merged_with_next     ? !is_match && match
                                                                           : false;
      if (!joins) finish(), begin = from;
      end = to, match = is_match;
    }
    void finish() {
      walk.pass(stage, piece, begin, end);
      begin = end;
    }
  };
};

void PreTokenizer::split(std::string_view text, bool first, Scratch& scratch, const Sink& sink) const {
  std::string stand_ins;
  const bool differs = with_stand_ins(text, stand_ins);
  Walk{stages_, scratch, sink}.run(0, {text, differs ? std::string_view(stand_ins) : text, first});
}

}  // namespace hyscale::data
