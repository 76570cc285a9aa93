#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/data/split_pattern.h"

namespace hyscale::data {

/// What becomes of the matches of a pattern that splits text: words of their own, one word with their neighbours of the
/// same kind, or part of the word before or behind.
enum class SplitBehavior { isolated, contiguous, merged_with_previous, merged_with_next };

struct SplitStage {
  SplitPattern pattern;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;
};
/// Puts `prefix` before text that does not begin with it: `first_only`, before the first piece of a text alone.
struct PrefixStage {
  std::string prefix;
  bool first_only = false;
};
struct ReplaceSpaceStage {
  std::string replacement;
};
/// Cuts before each run of `mark`; for models in which no merge reaches over such a place, so that ids stay the same.
struct CutStage {
  std::string mark;
};
using PreTokenStage = std::variant<SplitStage, PrefixStage, ReplaceSpaceStage, CutStage>;

/// Cuts text into the words that a model sees one at a time, in stages. Immutable.
class PreTokenizer {
 public:
  using Sink = std::function<void(std::string_view word)>;
  /// One per thread.
  struct Scratch {
    SplitPattern::Scratch search{};
    std::deque<std::string> changed{};  // what a stage made of its piece, and its stand-ins; by stage
  };

  void add(PreTokenStage stage) { stages_.push_back(std::move(stage)); }
  /// Hands the words of `text` to `sink`, in order. `first`: the piece stands at the beginning of a text.
  void split(std::string_view text, bool first, Scratch& scratch, const Sink& sink) const;

 private:
  struct Piece {
    std::string_view text;
    std::string_view match;  // of the same length, what patterns see: see with_stand_ins
    bool first;
  };
  struct Walk;
  std::vector<PreTokenStage> stages_;
};

}  // namespace hyscale::data
