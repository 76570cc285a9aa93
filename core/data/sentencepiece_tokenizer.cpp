#include <algorithm>
#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "core/base/error.h"
#include "core/data/load_tokenizer.h"
#include "core/data/pool.h"
#include "core/data/sentencepiece_model.h"
#include "core/data/word_cache.h"

namespace hyscale::data {
namespace {

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, const std::string& path, const LoadOptions& options)
      : model_(std::move(model)) {
    const auto status = processor_.LoadFromSerializedProto(model_);
    if (!status.ok())
      throw ConfigError({.what = fmt::format("{} is no SentencePiece model: {}", path, status.message()),
                         .remedy = "name a .model file that spm_train wrote, a Hugging Face tokenizer.json, a file of "
                                   "tiktoken ranks (FILE@cl100k), or bpe:4096 to train a tokenizer"});
    if (options.with_special)
      throw ConfigError({.what = fmt::format("{}: special tokens in text cannot be read", path),
                         .why = "SentencePiece never takes text for a control symbol"});
    bos_ = find("BOS", "--bos", options.bos, own(options.bos_id, processor_.bos_id()), path);
    eos_ = find("EOS", "--eos", options.eos, own(options.eos_id, processor_.eos_id()), path);
    if (options.needs_frame && (bos_ < 0 || eos_ < 0))
      throw ConfigError({.what = fmt::format("{} has no {} token", path, bos_ < 0 ? "BOS" : "EOS"),
                         .why = "documents begin with BOS and end with EOS",
                         .remedy = "train it with --bos_id and --eos_id, name pieces with --bos and --eos, or use "
                                   "bpe:4096"});
    words_ = word_model(read_sentencepiece(model_));
  }
  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override { return processor_.GetPieceSize(); }
  int32_t bos() const override { return bos_; }
  int32_t eos() const override { return eos_; }
  std::string file_name() const override { return "tokenizer.model"; }
  std::string file_content() const override { return model_; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    if (words_) return encode_words(text, ids);
    std::vector<int> found;
    check(processor_.Encode(text, &found));
    ids.insert(ids.end(), found.begin(), found.end());
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    check(processor_.Decode(std::vector<int>(ids.begin(), ids.end()), &text));
    return text;
  }

 private:
  static void check(const sentencepiece::util::Status& status) {
    if (!status.ok()) throw Error(ExitCode::failed, {{.what = fmt::format("SentencePiece: {}", status.message())}});
  }
  static int own(int64_t of_corpus, int of_model) { return of_corpus >= 0 ? static_cast<int>(of_corpus) : of_model; }
  int32_t find(const char* what, const char* flag, const std::string& asked, int known, const std::string& path) const {
    if (asked.empty()) return known;
    const int id = processor_.PieceToId(asked);
    if (id == processor_.unk_id())
      throw ConfigError({.what = fmt::format("{} {}: {} has no such piece for {}", flag, asked, path, what)});
    return id;
  }
  void encode_words(std::string_view text, std::vector<int32_t>& ids) const {
    const Pool<Workspace>::Lease work(workspaces_);
    while (!text.empty()) {
      const std::string_view word = text.substr(0, sentencepiece_word(text));
      std::span<const int32_t> found = work->cache.find(word);
      if (found.empty()) {
        words_->encode(escaped(word, work->escaped), work->model);
        found = work->model.tokens;
        work->cache.store(word, found);
      }
      ids.insert(ids.end(), found.begin(), found.end());
      text.remove_prefix(word.size());
    }
  }
  static const std::string& escaped(std::string_view word, std::string& out) {
    out.clear();
    for (const char c : word) c == ' ' ? out.append(kSentencePieceSpace) : out.append(1, c);
    return out;
  }

  struct Workspace {
    WordCache cache{};
    BpeModel::Scratch model{};
    std::string escaped{};
  };
  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
  int32_t bos_ = -1, eos_ = -1;
  std::optional<BpeModel> words_;  // of models whose words can be encoded one by one
  mutable Pool<Workspace> workspaces_;
};

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece(std::string model, const std::string& path, const LoadOptions& options) {
  return std::make_unique<SentencePieceTokenizer>(std::move(model), path, options);
}

}  // namespace hyscale::data
