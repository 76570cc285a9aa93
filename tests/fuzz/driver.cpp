// The kept corpus and as many mutations of it as asked for, drawn from a seed. The input that ends the program is left
// in
// ./fuzz-crash. A target's entry is libFuzzer's, so that this file may give way to it.
//
//     fuzz_NAME CORPUS [EXECUTIONS] [SEED]      else HYSCALE_FUZZ_EXECUTIONS and HYSCALE_RANDOM_SEED

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

#include "core/base/files.h"
#include "tests/fuzz/target.h"

namespace {

using Random = std::mt19937_64;

size_t below(Random& random, size_t limit) { return limit == 0 ? 0 : random() % limit; }

std::vector<std::string> read_corpus(const std::string& directory) {
  std::vector<std::string> paths, inputs;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) inputs.push_back(hyscale::read_file(path));
  return inputs;
}

void mutate(std::string& text, const std::vector<std::string>& corpus, Random& random) {
  static const std::array<std::string, 24> kWords = {"-1",
                                                     "0",
                                                     "1e308",
                                                     "1e-320",
                                                     "nan",
                                                     "9223372036854775807",
                                                     "-9223372036854775808",
                                                     "18446744073709551616",
                                                     "'",
                                                     "\"",
                                                     "$(id)",
                                                     "`id`",
                                                     "\n",
                                                     std::string(1, '\0'),
                                                     "&a [*a]",
                                                     "*a",
                                                     "<<: *a",
                                                     "{",
                                                     "[",
                                                     "- ",
                                                     ": ",
                                                     "../",
                                                     "%s",
                                                     "\xff\xfe"};
  const size_t at = below(random, text.size() + 1), length = below(random, std::min<size_t>(text.size() - at, 32) + 1);
  switch (below(random, 7)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(random, 8)));
      break;
    case 1:
      if (at < text.size()) text[at] = static_cast<char>(random());
      break;
    case 2:
      text.erase(at, length);
      break;
    case 3:
      text.insert(at, text.substr(below(random, text.size() + 1), length));
      break;
    case 4:
      text.replace(at, length, kWords[below(random, kWords.size())]);
      break;
    case 5:
      text.resize(at);
      break;
    default: {
      const std::string& other = corpus[below(random, corpus.size())];
      text.insert(at, other.substr(below(random, other.size() + 1), 1 + below(random, 64)));
    }
  }
}

std::string current;  // for who comes after a crash
void keep_current(int signal) {
  FILE* file = std::fopen("fuzz-crash", "wb");
  if (file != nullptr) std::fwrite(current.data(), 1, current.size(), file), std::fclose(file);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

extern "C" void __asan_set_death_callback(void (*)()) __attribute__((weak));

int main(int count, char** arguments) {
  if (count < 2) return std::fputs("fuzz_NAME CORPUS [EXECUTIONS] [SEED]\n", stderr), 2;
  const auto corpus = read_corpus(arguments[1]);
  const char* given = count > 2 ? arguments[2] : std::getenv("HYSCALE_FUZZ_EXECUTIONS");
  const long executions = given != nullptr ? std::atol(given) : 20'000;
  const char* seed = count > 3 ? arguments[3] : std::getenv("HYSCALE_RANDOM_SEED");
  Random random(seed != nullptr ? std::strtoul(seed, nullptr, 10) : 20260301u);
  std::signal(SIGABRT, keep_current);
  if (__asan_set_death_callback != nullptr) __asan_set_death_callback([] { keep_current(SIGABRT); });
  std::printf("seed %s, %zu inputs kept, %ld executions\n", seed != nullptr ? seed : "20260301", corpus.size(),
              executions);
  std::fflush(stdout);
  for (long i = 0; i < executions; ++i) {
    const auto first = static_cast<size_t>(i);
    current = corpus[first < corpus.size() ? first : below(random, corpus.size())];
    if (first >= corpus.size())
      for (size_t n = 1 + below(random, 6); n > 0; --n) mutate(current, corpus, random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
  }
  return 0;
}
