#include "core/data/tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/data/load_tokenizer.h"

namespace hyscale::data {
namespace {

constexpr int32_t kByteBos = 256, kByteEos = 257;

class ByteTokenizer final : public Tokenizer {
 public:
  std::string kind() const override { return "byte"; }
  int64_t vocabulary() const override { return 258; }
  int32_t bos() const override { return kByteBos; }
  int32_t eos() const override { return kByteEos; }
  std::string file_name() const override { return "tokenizer.json"; }
  std::string file_content() const override {
    return fmt::format("{{\"kind\": \"byte\", \"vocabulary\": {}, \"bos\": {}, \"eos\": {}}}\n", vocabulary(), bos(),
                       eos());
  }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    const size_t before = ids.size();
    ids.resize(before + text.size());
    std::transform(text.begin(), text.end(), ids.begin() + static_cast<std::ptrdiff_t>(before),
                   [](char c) { return static_cast<int32_t>(static_cast<unsigned char>(c)); });
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids)
      if (id >= 0 && id < kByteBos) text += static_cast<char>(id);
    return text;
  }
};

class UnknownTokenizer final : public Tokenizer {
 public:
  UnknownTokenizer(int64_t vocabulary, int32_t bos, int32_t eos) : vocabulary_(vocabulary), bos_(bos), eos_(eos) {}
  std::string kind() const override { return spec::kNoTokenizer; }
  int64_t vocabulary() const override { return vocabulary_; }
  int32_t bos() const override { return bos_; }
  int32_t eos() const override { return eos_; }
  std::string file_name() const override { return "tokenizer.json"; }
  std::string file_content() const override {
    return fmt::format("{{\"kind\": \"none\", \"vocabulary\": {}, \"bos\": {}, \"eos\": {}}}\n", vocabulary_, bos_,
                       eos_);
  }
  void encode(std::string_view, std::vector<int32_t>&) const override { refuse(); }
  std::string decode(std::span<const int32_t>) const override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    throw ConfigError(Problem{.what = "this corpus came without a tokenizer: its ids stand for no text",
                              .remedy = "make it again with hybrid-worker data IDS --tokenizer FILE"});
  }
  int64_t vocabulary_;
  int32_t bos_, eos_;
};

}  // namespace

std::unique_ptr<Tokenizer> unknown_tokenizer(int64_t vocabulary, int32_t bos, int32_t eos) {
  return std::make_unique<UnknownTokenizer>(vocabulary, bos, eos);
}

std::unique_ptr<Tokenizer> byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

std::unique_ptr<Tokenizer> open_tokenizer(const spec::CorpusManifest& manifest, bool with_special) {
  const bool none = manifest.tokenizer == spec::kNoTokenizer;
  const bool byte = manifest.tokenizer == "byte", json = byte || manifest.tokenizer == "huggingface";
  const std::string path = manifest.directory + (json || none                       ? "/tokenizer.json"
                                                 : manifest.tokenizer == "tiktoken" ? "/tokenizer.tiktoken"
                                                                                    : "/tokenizer.model");
  const std::string content = read_file(path);
  if (sha256_hex(content) != manifest.identity.tokenizer_sha256)
    throw DamagedFile({.what = path + " is not the tokenizer that the manifest names",
                       .remedy = "prepare the corpus again with hybrid-worker data"});
  if (byte) return byte_tokenizer();
  if (none)
    return unknown_tokenizer(manifest.vocabulary, static_cast<int32_t>(manifest.bos),
                             static_cast<int32_t>(manifest.eos));
  const LoadOptions options{.bos_id = manifest.bos, .eos_id = manifest.eos, .with_special = with_special};
  if (json) return load_tokenizer_json(content, path, options);
  if (manifest.tokenizer == "tiktoken") return load_ranks(content, path, "", options);
  return load_sentencepiece(content, path, options);
}

}  // namespace hyscale::data
