#include "storage/files/journal.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"

namespace hyscale::storage {
namespace {

using nlohmann::json;
constexpr size_t kChecksumDigits = 8;

/// Shortest text that reads back to the same bits; JSON has no NaN or infinity.
std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }
double number(const json& value) { return value.is_null() ? std::nan("") : value.get<double>(); }

/// The JSON of a line without its newline, when the checksum holds.
std::optional<json> parse_line(std::string_view line) {
  if (line.size() <= kChecksumDigits + 1 || line[kChecksumDigits] != ' ') return std::nullopt;
  const std::string_view body = line.substr(kChecksumDigits + 1);
  if (line.substr(0, kChecksumDigits) != fmt::format("{:08x}", crc32_of(body))) return std::nullopt;
  json value = json::parse(body, nullptr, false);
  return value.is_object() ? std::optional(std::move(value)) : std::nullopt;
}

std::vector<CorpusLoss> corpora_of(const json& row) {
  std::vector<CorpusLoss> corpora;
  if (!row.contains("corpora")) return corpora;
  for (const json& part : row.at("corpora"))
    corpora.push_back({part.at("corpus").get<std::string>(), number(part.at("loss")), number(part.at("bits_per_byte")),
                       number(part.at("standard_error"))});
  return corpora;
}

std::string corpora_json(const std::vector<CorpusLoss>& corpora) {
  std::string list;
  for (const CorpusLoss& part : corpora)
    list += fmt::format(R"({}{{"corpus":{},"loss":{},"bits_per_byte":{},"standard_error":{}}})",
                        list.empty() ? "" : ",", json(part.corpus).dump(), number(part.loss),
                        number(part.bits_per_byte), number(part.standard_error));
  return list.empty() ? "" : ",\"corpora\":[" + list + "]";
}

int64_t step_of(const json& value) {
  const auto step = value.get<int64_t>();
  if (step < 0) throw std::out_of_range(fmt::format("step {}", step));
  return step;
}

AttemptRows& attempt_of(JournalContent& content, int64_t step) {
  if (content.attempts.empty())
    content.attempts.push_back({1, step - 1, {}, {}});  // the line that began it was altered
  return content.attempts.back();
}

/// Throws json::exception or std::out_of_range when the row is none of a journal; nothing is taken then.
void take(const json& row, JournalContent& content) {
  if (row.contains("attempt")) {
    content.attempts.push_back({row.at("attempt").get<int>(), step_of(row.at("from")), {}, {}});
  } else if (row.contains("step")) {
    const StepRow step{step_of(row.at("step")), row.at("tokens").get<int64_t>(), number(row.at("loss")),
                       number(row.at("lr")),    number(row.at("grad_norm")),     number(row.at("seconds"))};
    attempt_of(content, step.step).steps.push_back(step);
  } else {
    EvalRow eval{step_of(row.at("eval")),         row.at("tokens").get<int64_t>(),  number(row.at("loss")),
                 number(row.at("bits_per_byte")), number(row.at("standard_error")), corpora_of(row)};
    attempt_of(content, eval.step).evals.push_back(std::move(eval));
  }
}

}  // namespace

JournalContent read_journal(const std::string& path) {
  JournalContent content;
  if (!std::filesystem::exists(path)) return content;
  const std::string text = read_file(path);
  std::string_view rest = text;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      content.damage.push_back(fmt::format("{}:{}: the last line is torn ({} bytes)", path, number, rest.size()));
      break;
    }
    try {
      if (const auto row = parse_line(rest.substr(0, end)))
        take(*row, content);
      else
        content.damage.push_back(fmt::format("{}:{}: the line was altered: its checksum does not hold", path, number));
    } catch (const std::exception& other) {
      content.damage.push_back(fmt::format("{}:{}: the line is no row of a journal: {}", path, number, other.what()));
    }
    rest.remove_prefix(end + 1);
  }
  return content;
}

Journal::Journal(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0)
    throw IoError({.what = fmt::format("cannot open {}: {}", path, std::strerror(errno)),
                   .remedy = "choose an output directory you may write to"});
  const std::string text = read_file(path);
  const size_t whole = text.rfind('\n') + 1;  // 0 when there is no line end
  if (whole != text.size() && ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0)
    throw IoError({.what = fmt::format("cannot cut the torn last line off {}: {}", path, std::strerror(errno))});
}
Journal::~Journal() { ::close(descriptor_); }

void Journal::line(const std::string& json) { waiting_ += fmt::format("{:08x} {}\n", crc32_of(json), json); }
void Journal::begin_attempt(int attempt, int64_t from) {
  line(fmt::format(R"({{"attempt":{},"from":{}}})", attempt, from));
}
void Journal::add(const StepRow& r) {
  line(fmt::format(R"({{"step":{},"tokens":{},"loss":{},"lr":{},"grad_norm":{},"seconds":{}}})", r.step, r.tokens,
                   number(r.loss), number(r.lr), number(r.grad_norm), number(r.seconds)));
}
void Journal::add(const EvalRow& r) {
  line(fmt::format(R"({{"eval":{},"tokens":{},"loss":{},"bits_per_byte":{},"standard_error":{}{}}})", r.step, r.tokens,
                   number(r.loss), number(r.bits_per_byte), number(r.standard_error), corpora_json(r.corpora)));
}

void Journal::flush() {
  std::string_view left = waiting_;
  while (!left.empty()) {
    const ssize_t n = ::write(descriptor_, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      waiting_ = std::string(left);
      throw IoError({.what = fmt::format("cannot write {}: {}", path_, std::strerror(error)),
                     .remedy = "free some space and run again with --resume"});
    }
    left.remove_prefix(static_cast<size_t>(n));
  }
  waiting_.clear();
}
void Journal::sync() {
  flush();
  if (::fsync(descriptor_) != 0)
    throw IoError({.what = fmt::format("cannot flush {}: {}", path_, std::strerror(errno))});
}

}  // namespace hyscale::storage
