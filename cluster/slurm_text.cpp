#include "cluster/slurm_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <string_view>

namespace hyscale::cluster {
namespace {

/// Like lines of a text: nothing behind the last `at` is no part.
std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find(at, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
  }
  return parts;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Slurm writes local time: "2026-11-24T00:34:47"; "N/A", "Unknown" or "None" where there is none.
double time_of(const std::string& text) {
  std::tm time{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time) == nullptr) return 0;
  time.tm_isdst = -1;
  return static_cast<double>(std::mktime(&time));
}

std::string local_time(double unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm time{};
  ::localtime_r(&seconds, &time);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &time);
  return text.data();
}

std::string reason_of(const std::string& text) { return text == "None" ? "" : text; }

/// "12_3", "12_[3-5]", "12": every task it names; none when it is a step or no id.
std::vector<SlurmTask> tasks_of(const std::string& id) {
  const size_t line = id.find('_');
  const auto job = number(id.substr(0, line));
  if (!job) return {};
  if (line == std::string::npos) return {{*job, 0}};
  std::string rest = id.substr(line + 1);
  if (rest.size() > 1 && rest.front() == '[' && rest.back() == ']') rest = rest.substr(1, rest.size() - 2);
  std::vector<SlurmTask> tasks;
  for (const int64_t index : parse_ranges(rest).value_or(std::vector<int64_t>{})) tasks.push_back({*job, index});
  return tasks;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

}  // namespace

std::string to_string(const SlurmTask& task) { return fmt::format("{}_{}", task.job, task.index); }

std::vector<std::string> squeue_argv() {
  return {"squeue", "--noheader", "--array", "--me", "--states=all", "--format=%F|%K|%T|%e|%j|%r"};
}

SlurmRecords parse_squeue(const std::string& text) {
  SlurmRecords records;
  for (const std::string& line : split(text, '\n')) {
    const auto fields = split(line, '|');
    if (fields.size() != 6) continue;
    const auto job = number(fields[0]);
    if (!job) continue;
    const SlurmTask task{*job, number(fields[1]).value_or(0)};
    records[task] = {
        .state = fields[2], .reason = reason_of(fields[5]), .name = fields[4], .ended = time_of(fields[3])};
  }
  return records;
}

static std::vector<std::string> sacct(const std::string& which, double since) {
  return {"sacct",
          "--noheader",
          "--allocations",
          "--parsable2",
          "--starttime=" + local_time(since),
          which,
          "--format=JobID,State,End,JobName,Reason,ExitCode"};
}
std::vector<std::string> sacct_argv(const std::vector<int64_t>& jobs, double since) {
  return sacct(fmt::format("--jobs={}", fmt::join(jobs, ",")), since);
}
std::vector<std::string> sacct_argv(const std::vector<std::string>& names, double since) {
  return sacct(fmt::format("--name={}", fmt::join(names, ",")), since);
}

SlurmRecords parse_sacct(const std::string& text) {
  SlurmRecords records;
  for (const std::string& line : split(text, '\n')) {
    const auto fields = split(line, '|');
    if (fields.size() != 6) continue;
    SlurmRecord record{.state = fields[1].substr(0, fields[1].find_first_of(" +")),  // "CANCELLED by 1000"
                       .reason = reason_of(fields[4]),
                       .name = fields[3],
                       .ended = time_of(fields[2])};
    const auto exit = split(fields[5], ':');
    if (exit.size() == 2) {
      record.exit_code = static_cast<int>(number(exit[0]).value_or(0));
      record.signal = static_cast<int>(number(exit[1]).value_or(0));
    }
    for (const SlurmTask& task : tasks_of(fields[0])) records[task] = record;
  }
  return records;
}

std::optional<int64_t> parse_sbatch(const std::string& text) {
  // A site's submit filter may have said something first.
  const auto lines = split(text, '\n');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (const auto id = number(trimmed(line->substr(0, line->find(';'))))) return id;
  return std::nullopt;
}

SlurmCluster parse_config(const std::string& text) {
  SlurmCluster cluster;
  for (const std::string& line : split(text, '\n')) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    if (key == "ClusterName") cluster.name = value;
    if (key == "MaxArraySize") cluster.max_array_size = number(value).value_or(cluster.max_array_size);
    if (key == "BOOT_TIME") cluster.started = time_of(value);
    if (key == "AccountingStorageType") cluster.accounting = value.find("slurmdbd") != std::string::npos;
  }
  return cluster;
}

std::vector<std::string> parse_mpi_list(const std::string& text) {
  std::vector<std::string> kinds;
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if ((word.starts_with("pmi") || word.starts_with("openmpi") || word.starts_with("cray")) &&
        std::find(kinds.begin(), kinds.end(), word) == kinds.end())
      kinds.push_back(word);
  return kinds;
}

std::string to_ranges(const std::vector<int64_t>& indices) {
  std::string text;
  for (size_t first = 0, last = 0; first < indices.size(); first = last + 1) {
    last = first;
    while (last + 1 < indices.size() && indices[last + 1] == indices[last] + 1) ++last;
    text += text.empty() ? "" : ",";
    text += first == last ? fmt::format("{}", indices[first]) : fmt::format("{}-{}", indices[first], indices[last]);
  }
  return text;
}

std::optional<std::vector<int64_t>> parse_ranges(const std::string& text) {
  constexpr int64_t kMost = 10'000'000;
  std::vector<int64_t> indices;
  for (const std::string& part : split(text.substr(0, text.find('%')), ',')) {
    const size_t dash = part.find('-');
    const auto first = number(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : number(part.substr(dash + 1));
    if (!first || !last || *last < *first || *last - *first > kMost) return std::nullopt;
    for (int64_t index = *first; index <= *last; ++index) indices.push_back(index);
  }
  return indices;
}

}  // namespace hyscale::cluster
