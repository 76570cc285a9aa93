#include "scheduler/run_files.h"

#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {

namespace fs = std::filesystem;

std::optional<storage::RunResult> StoreRunFiles::result(const std::string& run_id, std::string& problem) const {
  const std::string path = directory(run_id).run_h5();
  if (!fs::exists(path)) return std::nullopt;
  try {
    const storage::RunRecord record = storage::read_run_record(path);
    if (record.run_id != run_id) {
      problem = fmt::format("{} is the record of run {}", path, record.run_id);
      return std::nullopt;
    }
    if (record.evals.empty()) {
      problem = path + " holds no evaluation";
      return std::nullopt;
    }
    storage::RunResult result{.provenance = record.provenance};
    for (const storage::EvalRow& e : record.evals) {
      result.evals.push_back({e.step, e.tokens, e.loss, e.bits_per_byte, e.standard_error});
      for (const storage::CorpusLoss& part : e.corpora)
        result.evals.back().corpora.push_back({part.corpus, part.loss, part.bits_per_byte, part.standard_error});
    }
    return result;
  } catch (const Error& error) {
    problem = error.what();
    return std::nullopt;
  }
}

std::optional<storage::RunStatus> StoreRunFiles::status(const std::string& run_id) const {
  try {
    return storage::read_status(directory(run_id));
  } catch (const Error&) {
    return std::nullopt;  // the job's end decides; a status that cannot be read tells nothing
  }
}

std::string StoreRunFiles::checkpoint_path(const std::string& run_id, int64_t step) const {
  return fmt::format("{}/step-{:09}.h5", directory(run_id).checkpoints(), step);
}

std::optional<std::string> StoreRunFiles::checkpoint(const std::string& run_id, int64_t step) const {
  std::string path = checkpoint_path(run_id, step);
  if (!fs::exists(path)) return std::nullopt;  // a checkpoint gets its name when it is complete
  return path;
}

bool StoreRunFiles::has_begun(const std::string& run_id) const { return fs::exists(directory(run_id).run_yaml()); }

bool StoreRunFiles::has_any_checkpoint(const std::string& run_id) const {
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(directory(run_id).checkpoints(), absent)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".h5")) return true;
  }
  return false;
}

int64_t StoreRunFiles::micro_batch(const std::string& run_id) const {
  try {
    const auto exec = nlohmann::json::parse(read_file(directory(run_id).exec_json()));
    return std::stoll(exec.at("settings").at("micro_batch").get<std::string>());
  } catch (const std::exception&) {
    return 0;
  }
}

// The worker may not have made its directory yet, and forgets a stop file that is older than itself; the mark in the
// job's directory stays.
void StoreRunFiles::ask_to_stop(const std::string& run_id, int attempt) const {
  constexpr const char* kText = "asked for by study cancel\n";
  write_file_atomically(cancel_mark(store_, run_id, attempt), kText);
  if (fs::exists(directory(run_id).path)) write_file_atomically(directory(run_id).stop_file(), kText);
}

bool StoreRunFiles::asked_to_stop(const std::string& run_id, int attempt) const {
  return fs::exists(cancel_mark(store_, run_id, attempt));
}

void StoreRunFiles::clear_stop(const std::string& run_id) const {
  std::error_code absent;
  fs::remove(directory(run_id).stop_file(), absent);
}

}  // namespace hyscale::scheduler
