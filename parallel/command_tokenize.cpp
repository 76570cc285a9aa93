#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <iostream>
#include <iterator>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/yaml_reader.h"
#include "core/data/documents.h"
#include "core/data/load_tokenizer.h"
#include "core/data/utf8.h"
#include "parallel/commands.h"

namespace hyscale::parallel {
namespace {

struct TokenizeArguments {
  std::string tokenizer, corpus, file, field = "text";
  bool json = false, decode = false, special = false;
};

std::unique_ptr<data::Tokenizer> tokenizer_of(const TokenizeArguments& arguments) {
  if (arguments.tokenizer.empty() == arguments.corpus.empty())
    throw ConfigError(Problem{.what = "one of --tokenizer and --corpus is needed, and not both",
                              .remedy = "--tokenizer FILE, or --corpus DIR for the tokenizer of a corpus"});
  if (arguments.corpus.empty())
    return data::load_tokenizer(arguments.tokenizer, {.needs_frame = false, .with_special = arguments.special});
  return data::open_tokenizer(spec::load_corpus_manifest(arguments.corpus), arguments.special);
}

std::string all_of(std::istream& in) { return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}; }

std::string name_of(const TokenizeArguments& arguments) {
  return arguments.file.empty() ? "standard input" : arguments.file;
}

bool holds_documents(std::string_view file) {
  for (const std::string_view packed : {".gz", ".zst"})
    if (file.ends_with(packed)) file.remove_suffix(packed.size());
  return file.ends_with(".txt") || file.ends_with(".jsonl") || file.ends_with(".parquet");
}

/// Calls `each` with every document: those of .txt, .jsonl and .parquet files as `hybrid-worker data` finds them, else
/// the whole input.
template <class Each>
void for_each_document(const TokenizeArguments& arguments, Each&& each) {
  std::string text;
  const std::string& file = arguments.file;
  if (holds_documents(file)) {
    data::DocumentReader reader(data::find_text_files({file}), arguments.field, data::InvalidUtf8::fail);
    for (data::TextPiece piece; reader.next(piece);) {
      if (piece.first) text.clear();
      text += piece.text;
      if (piece.last && !piece.dropped) each(text);
    }
    return reader.throw_if_problems();
  }
  text = file.empty() ? all_of(std::cin) : read_file(file);
  if (const size_t bad = data::invalid_utf8(text); bad != std::string::npos)
    throw ConfigError(Problem{.what = fmt::format("{}: byte {} is no UTF-8", name_of(arguments), bad + 1),
                              .remedy = "convert the text to UTF-8 first, for instance with iconv"});
  each(text);
}

void encode(const TokenizeArguments& arguments, const data::Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for_each_document(arguments, [&](const std::string& text) {
    ids.clear();
    tokenizer.encode(text, ids);
    fmt::memory_buffer line;
    if (arguments.json)
      fmt::format_to(std::back_inserter(line), "{{\"bytes\": {}, \"tokens\": {}, \"ids\": [{}]}}\n", text.size(),
                     ids.size(), fmt::join(ids, ", "));
    else
      fmt::format_to(std::back_inserter(line), "{}\n", fmt::join(ids, " "));
    std::fwrite(line.data(), 1, line.size(), stdout);
  });
}

/// The ids of one line: numbers, a JSON list of them, or an object as --json prints it.
std::vector<int32_t> ids_of(const std::string& line, const Location& at, const data::Tokenizer& tokenizer) {
  const bool is_json = line.starts_with('{') || line.starts_with('[');
  const auto json = is_json ? nlohmann::json::parse(line, nullptr, false) : nlohmann::json();
  const auto list = json.is_object() ? json.value("ids", nlohmann::json()) : json;
  std::vector<std::string> words;
  std::istringstream plain(is_json ? "" : line);
  for (std::string word; plain >> word;) words.push_back(word);
  if (is_json && !list.is_array()) words.push_back(line);
  for (size_t i = 0; list.is_array() && i < list.size(); ++i) words.push_back(list[i].dump());
  std::vector<int32_t> ids;
  for (const std::string& word : words) {
    const auto id = parse_number(word);
    if (!id || *id < 0 || *id != std::floor(*id) || *id >= static_cast<double>(tokenizer.vocabulary()))
      throw ConfigError(Problem{.what = fmt::format("'{}' is no id between 0 and {}", word, tokenizer.vocabulary() - 1),
                                .remedy = "each line is one document: ids, or what --json prints",
                                .at = at});
    ids.push_back(static_cast<int32_t>(*id));
  }
  return ids;
}

void decode(const TokenizeArguments& arguments, const data::Tokenizer& tokenizer) {
  std::istringstream in(arguments.file.empty() ? all_of(std::cin) : read_file(arguments.file));
  Location at{name_of(arguments), 0, 0};
  for (std::string line; std::getline(in, line);) {
    ++at.line;
    const std::string text = tokenizer.decode(ids_of(line, at, tokenizer));
    const nlohmann::json json{{"text", text}};
    const auto shown = arguments.json ? json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : text;
    std::fwrite(shown.data(), 1, shown.size(), stdout);
    std::fputc('\n', stdout);
  }
}

}  // namespace

void add_tokenize_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenize", "Turn text into token ids, or ids into text");
  const auto arguments = std::make_shared<TokenizeArguments>();
  command->add_option("FILE", arguments->file, "Text (default: standard input); documents of .txt, .jsonl, .parquet");
  auto* tokenizer = command->add_option("--tokenizer", arguments->tokenizer,
                                        "byte, tokenizer.json, a SentencePiece .model, or tiktoken ranks with their "
                                        "encoding: FILE@cl100k");
  command->add_option("--corpus", arguments->corpus, "Directory of a corpus: use its tokenizer")->excludes(tokenizer);
  command->add_option("--field", arguments->field, "Field of .jsonl lines, or column of .parquet, that holds the text")
      ->capture_default_str();
  command->add_flag("--decode", arguments->decode, "The input is ids, one document a line; print its text");
  command->add_flag("--special", arguments->special, "Read special tokens in the text as such, not as plain text");
  command->add_flag("--json", arguments->json, "Print one JSON object a document: bytes, tokens and ids; or its text");
  command->footer(
      "Prints the ids of each document on a line of its own, without BOS and EOS.\n"
      "Example: echo 'Hello, world' | hybrid-worker tokenize --tokenizer tokenizer.json\n"
      "         hybrid-worker tokenize --corpus hyscale-store/corpora/books chapter.txt --json");
  command->callback([arguments] {
    const auto chosen = tokenizer_of(*arguments);
    arguments->decode ? decode(*arguments, *chosen) : encode(*arguments, *chosen);
  });
}

}  // namespace hyscale::parallel
