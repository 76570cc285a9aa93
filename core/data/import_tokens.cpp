#include "core/data/import_tokens.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/data/corpus.h"
#include "core/data/corpus_place.h"
#include "core/data/corpus_writer.h"
#include "core/data/documents.h"
#include "core/data/load_tokenizer.h"
#include "core/data/token_file.h"
#include "core/data/token_scan.h"
#include "core/data/tokenizer.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlock = int64_t{1} << 20;  // tokens between two signs of life

/// The tokens of one split while the corpus is made.
struct Side {
  std::vector<spec::TokenRange> ranges{};
  std::vector<int64_t> ends{};  // of the documents
  int64_t tokens() const { return ends.empty() ? 0 : ends.back(); }
};

void append(Side& side, const TokenFile& file) {
  const int64_t before = side.tokens();
  side.ranges.push_back(file.range);
  for (const int64_t end : file.document_ends) side.ends.push_back(before + end);
}

/// Tokens [begin, end) of `ranges`.
std::vector<spec::TokenRange> part(const std::vector<spec::TokenRange>& ranges, int64_t begin, int64_t end) {
  std::vector<spec::TokenRange> result;
  int64_t before = 0;
  for (const spec::TokenRange& range : ranges) {
    const int64_t first = std::max(begin - before, int64_t{0}), last = std::min(end - before, range.count);
    before += range.count;
    if (first >= last) continue;
    spec::TokenRange& piece = result.emplace_back(range);
    piece.offset += first * range.width;
    piece.count = last - first;
  }
  return result;
}

/// Where validation begins when the last documents are kept for it.
int64_t tail_begin(const Side& all, const PrepareOptions& options) {
  const auto documents = static_cast<int64_t>(all.ends.size());
  const auto begin_of = [&](int64_t d) { return d == 0 ? 0 : all.ends[static_cast<size_t>(d - 1)]; };
  const auto share = [&](int64_t of) {
    return std::max<int64_t>(1, std::llround(options.validation_fraction * static_cast<double>(of)));
  };
  const int64_t wanted = options.validation_tokens;
  if (documents == 1) return all.tokens() - (wanted > 0 ? wanted : share(all.tokens()));
  if (wanted == 0) return begin_of(documents - share(documents));
  int64_t first = documents;
  while (first > 0 && all.tokens() - begin_of(first) < wanted) --first;
  return begin_of(first);
}

/// Takes the last documents of `all` away, as the other side.
Side cut_tail(Side& all, const PrepareOptions& options) {
  const int64_t begin = tail_begin(all, options);
  if (begin <= 0 || begin >= all.tokens())
    throw ConfigError({.what = fmt::format("{} documents of {} tokens leave nothing for {}", all.ends.size(),
                                           all.tokens(), begin <= 0 ? "training" : "validation"),
                       .remedy = "set --validation or --validation-tokens to suit, or name a --validation-file"});
  Side tail{.ranges = part(all.ranges, begin, all.tokens())};
  const auto first = std::upper_bound(all.ends.begin(), all.ends.end(), begin);
  std::transform(first, all.ends.end(), std::back_inserter(tail.ends), [&](int64_t end) { return end - begin; });
  all.ends.erase(first, all.ends.end());
  if (all.tokens() != begin) all.ends.push_back(begin);
  all.ranges = part(all.ranges, 0, begin);
  return tail;
}

std::vector<std::string> token_files(const std::string& input) {
  if (!fs::is_directory(input)) return {input};
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(input))
    if (entry.is_regular_file() && is_token_file(entry.path().string()) && entry.path().extension() != ".idx")
      found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<int64_t> id_of(const std::string& text) {
  int64_t id = -1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id);
  return error == std::errc{} && rest == end && id >= 0 ? std::optional(id) : std::nullopt;
}

std::unique_ptr<Tokenizer> tokenizer_of(const PrepareOptions& options) {
  if (options.tokenizer.empty()) {
    const auto id = [](const std::string& text) { return static_cast<int32_t>(id_of(text).value_or(-1)); };
    return unknown_tokenizer(options.vocabulary, id(options.bos), id(options.eos));
  }
  if (options.tokenizer == "byte" || names_tokenizer_file(options.tokenizer))
    return load_tokenizer(options.tokenizer, {.bos = options.bos, .eos = options.eos});
  throw ConfigError(Problem{
      .what = fmt::format("--tokenizer {} names no tokenizer that could have made these ids", options.tokenizer),
      .remedy = "name its file, or give --vocabulary N [--eos ID] [--bos ID] instead"});
}

void check_ids(const PrepareOptions& options) {
  Problems problems;
  const bool named = !options.tokenizer.empty();
  if (named && options.vocabulary > 0)
    problems.add({.what = "--vocabulary describes an unknown tokenizer, --tokenizer names a known one",
                  .remedy = "leave out one or the other"});
  if (!named && (options.vocabulary < 2 || options.vocabulary > (int64_t{1} << 30)))
    problems.add({.what = fmt::format("token ids need a vocabulary, {} is none", options.vocabulary),
                  .remedy = "give --vocabulary N (special tokens included), or --tokenizer FILE if you have it"});
  for (const auto& [name, text] : {std::pair{"--eos", options.eos}, std::pair{"--bos", options.bos}}) {
    const auto id = id_of(text);
    if (!named && !text.empty() && (!id || *id >= std::max<int64_t>(options.vocabulary, 2)))
      problems.add({.what = fmt::format("{} {} is no id inside the vocabulary of {}", name, text, options.vocabulary),
                    .remedy = "give the token's number"});
  }
  problems.throw_if_any();
}

class Import {
 public:
  Import(const PrepareOptions& options, const ReportProgress& progress)
      : options_(options), progress_(progress), tokenizer_(tokenizer_of(options)) {}

  PreparedCorpus run() {
    const std::string out = corpus_place(options_.out);
    Side train = look_through(options_.inputs), validation = look_through(options_.validation_files);
    problems_.throw_if_any();
    if (options_.validation_files.empty()) validation = cut_tail(train, options_);
    StagingDirectory staging(out);
    spec::CorpusManifest& m = result_.manifest;
    m.name = options_.name.empty() ? fs::path(out).filename().string() : options_.name;
    m.directory = staging.path();
    describe_tokenizer(m);
    m.identity.corpus_sha256 = corpus_sha256(take_over(train, false), take_over(validation, true));
    m.validation_bytes = text_bytes(validation);
    spec::save_corpus_manifest(m);
    m.directory = out;
    place(staging);
    return std::move(result_);
  }

 private:
  /// Opens and checks every file that the inputs name; what is wrong is collected.
  Side look_through(const std::vector<std::string>& inputs) {
    Side side;
    for (const std::string& input : inputs)
      for (const std::string& path : token_files(input)) try {
          TokenFile file = open_token_file(path, options_.dtype);
          check(file);
          append(side, file);
        } catch (const ConfigError& e) {
          for (const Problem& problem : e.problems()) problems_.add(problem);
        }
    return side;
  }

  void check(TokenFile& file) {
    state_.doing = "checking ids", state_.file = file.range.path;
    const MappedFile map(file.range.path);
    TokenScan scan({.vocabulary = tokenizer_->vocabulary(), .bos = tokenizer_->bos(), .eos = tokenizer_->eos()}, file,
                   map.bytes());
    for (int64_t begin = 0; begin < file.range.count; begin += kBlock) {
      scan.look(begin, std::min(begin + kBlock, file.range.count));
      tell(file.range.width * kBlock);
    }
    if (auto problem = scan.problem()) return problems_.add(std::move(*problem));
    if (file.document_ends.empty()) file.document_ends = scan.document_ends();
    result_.notes.push_back(fmt::format("{}: {}, {} ids up to {}, {} documents", file.range.path, file.format,
                                        file.range.count, scan.largest(), file.document_ends.size()));
  }

  void describe_tokenizer(spec::CorpusManifest& m) const {
    const std::string content = tokenizer_->file_content();
    write_file_atomically(m.directory + "/" + tokenizer_->file_name(), content);
    m.tokenizer = tokenizer_->kind();
    m.vocabulary = tokenizer_->vocabulary();
    m.bos = tokenizer_->bos(), m.eos = tokenizer_->eos();
    m.identity.tokenizer_sha256 = sha256_hex(content);
  }

  /// Writes what the corpus keeps of a split and fills its part of the manifest; the hash of its tokens.
  std::string take_over(const Side& side, bool validation) {
    spec::CorpusManifest& m = result_.manifest;
    const CorpusFiles files{m.directory};
    ArrayWriter documents(files.documents(validation), 8);
    documents.append(uint64_t{0});
    for (const int64_t end : side.ends) documents.append(static_cast<uint64_t>(end));
    documents.finish();
    (validation ? m.validation_tokens : m.train_tokens) = side.tokens();
    (validation ? m.validation_documents : m.train_documents) = static_cast<int64_t>(side.ends.size());
    const uint32_t width = token_width(m.vocabulary);
    const TokenRanges tokens(side.ranges);
    if (validation) m.unigram_entropy = entropy(tokens);
    state_.doing = options_.copy ? "copying" : "hashing";
    if (!options_.copy) {
      (validation ? m.validation_files : m.train_files) = side.ranges;
      return tokens.sha256(width);
    }
    ArrayWriter writer(files.tokens(validation), width);
    for_each_block(tokens, [&](std::span<const int32_t> block) { writer.append(block); });
    return writer.finish().sha256_hex();
  }

  double entropy(const TokenRanges& tokens) {
    std::vector<int64_t> counts(static_cast<size_t>(tokenizer_->vocabulary()));
    for_each_block(tokens, [&](std::span<const int32_t> block) {
      for (const int32_t id : block) ++counts[static_cast<size_t>(id)];
    });
    return unigram_entropy(counts);
  }

  /// Bytes of the text that the ids stand for; 0 when the tokenizer is not at hand.
  int64_t text_bytes(const Side& side) {
    if (tokenizer_->kind() == spec::kNoTokenizer) return 0;
    const TokenRanges tokens(side.ranges);
    int64_t bytes = 0, begin = 0;
    for (const int64_t end : side.ends) {
      std::vector<int32_t> ids(static_cast<size_t>(end - begin));
      tokens.read(begin, ids);
      bytes += static_cast<int64_t>(tokenizer_->decode(ids).size());
      begin = end;
    }
    return bytes;
  }

  template <class Take>
  void for_each_block(const TokenRanges& tokens, Take&& take) {
    std::vector<int32_t> block(static_cast<size_t>(kBlock));
    for (int64_t begin = 0; begin < tokens.size(); begin += kBlock) {
      const auto ids = std::span(block).first(static_cast<size_t>(std::min(kBlock, tokens.size() - begin)));
      tokens.read(begin, ids);
      take(ids);
      tell(0);
    }
  }

  /// A corpus of the same tokens may refer to files that have moved since: the new one takes its place.
  void place(StagingDirectory& staging) {
    const spec::CorpusManifest& m = result_.manifest;
    if (fs::exists(m.directory + "/manifest.json")) {
      const spec::CorpusIdentity there = spec::load_corpus_manifest(m.directory).identity;
      result_.already_there =
          there.corpus_sha256 == m.identity.corpus_sha256 && there.tokenizer_sha256 == m.identity.tokenizer_sha256;
      if (!result_.already_there) holds_the_same(m);  // says what differs
      return spec::save_corpus_manifest(m);
    }
    staging.commit();
  }

  void tell(int64_t bytes) {
    state_.bytes += bytes;
    progress_(state_);
  }

  const PrepareOptions& options_;
  const ReportProgress& progress_;
  std::unique_ptr<Tokenizer> tokenizer_;
  PrepareProgress state_{};
  Problems problems_{};
  PreparedCorpus result_{};
};

}  // namespace

bool is_import(const PrepareOptions& options) {
  bool ids = false, text = false;
  for (const std::string& input : options.inputs) {
    const bool here = fs::is_directory(input) ? !token_files(input).empty() : is_token_file(input);
    ids = ids || here;
    text = text || (fs::is_directory(input) ? has_text_files(input) : !here);
  }
  if (ids && text)
    throw ConfigError(Problem{.what = "some inputs are text and some are token ids",
                              .remedy = "make a corpus of each; a run config can mix them (data.mixture)"});
  return ids;
}

PreparedCorpus import_tokens(const PrepareOptions& options, const ReportProgress& progress) {
  check_ids(options);
  return Import(options, progress).run();
}

}  // namespace hyscale::data
