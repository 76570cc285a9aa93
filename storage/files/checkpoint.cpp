#include "storage/files/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "storage/files/hdf5_file.h"

namespace hyscale::storage {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFormat = "hyscale.checkpoint/1";
const std::string kNote = "note.";

int64_t to_integer(const std::string& text) {
  int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::optional<int64_t> step_of(const std::string& file_name) {
  constexpr size_t kPrefix = 5, kSuffix = 3;  // "step-", ".h5"
  if (!file_name.starts_with("step-") || !file_name.ends_with(".h5")) return std::nullopt;
  const std::string digits = file_name.substr(kPrefix, file_name.size() - kPrefix - kSuffix);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return to_integer(digits);
}

void remove_temporaries(const std::string& directory) {
  if (!fs::exists(directory)) return;
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos) fs::remove(entry.path());
}

}  // namespace

void write_checkpoint(const std::string& path, const CheckpointInfo& info, const std::vector<NamedArray>& arrays) {
  size_t bytes = 1 << 16;
  for (const NamedArray& array : arrays) bytes += array.values.size_bytes() + 1024;
  Hdf5Writer file(bytes);
  file.attribute("format", kFormat);
  file.attribute("run_id", info.run_id);
  file.attribute("step", std::to_string(info.step));
  file.attribute("tokens", std::to_string(info.tokens));
  for (const auto& [name, value] : info.notes) file.attribute(kNote + name, value);
  file.text("/run_yaml", info.run_yaml);
  for (const NamedArray& array : arrays) file.array("/" + array.name, array.shape, array.values);
  file.save(path);
}

struct CheckpointReader::State {
  std::string path;
  Hdf5Reader file;
  CheckpointInfo info;
};

CheckpointReader::CheckpointReader(const std::string& path) : state_(new State{path, Hdf5Reader(path), {}}) {
  const Hdf5Reader& file = state_->file;
  if (file.attribute("format") != kFormat)
    throw DamagedFile({.what = fmt::format("{} is no checkpoint: its format is '{}'", path, file.attribute("format"))});
  CheckpointInfo& info = state_->info;
  info.run_id = file.attribute("run_id");
  info.run_yaml = file.text("/run_yaml");
  info.step = to_integer(file.attribute("step"));
  info.tokens = to_integer(file.attribute("tokens"));
  for (const std::string& name : file.attribute_names())
    if (name.starts_with(kNote)) info.notes[name.substr(kNote.size())] = file.attribute(name);
}
CheckpointReader::~CheckpointReader() = default;

const CheckpointInfo& CheckpointReader::info() const { return state_->info; }
std::vector<std::string> CheckpointReader::names() const {
  std::vector<std::string> names;
  for (const ArrayInfo& array : state_->file.arrays())
    if (array.type == ElementType::f32) names.push_back(array.name.substr(1));
  return names;
}
std::vector<int64_t> CheckpointReader::shape(const std::string& name) const {
  return state_->file.info("/" + name).shape;
}
void CheckpointReader::read(const std::string& name, std::span<float> out) const { state_->file.read("/" + name, out); }

std::string checkpoint_path(const RunDirectory& run, int64_t step) {
  return fmt::format("{}/step-{:09}.h5", run.checkpoints(), step);
}

std::vector<int64_t> list_checkpoints(const RunDirectory& run) {
  std::vector<int64_t> steps;
  if (!fs::exists(run.checkpoints())) return steps;
  for (const auto& entry : fs::directory_iterator(run.checkpoints()))
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::set<int64_t> read_pinned(const RunDirectory& run) {
  const std::string path = run.checkpoints() + "/pinned";
  if (!fs::exists(path)) return {};
  std::istringstream text(read_file(path));
  std::set<int64_t> steps;
  for (int64_t step = 0; text >> step;) steps.insert(step);
  return steps;
}
void write_pinned(const RunDirectory& run, const std::set<int64_t>& steps) {
  std::string text;
  for (const int64_t step : steps) text += std::to_string(step) + "\n";
  write_file_atomically(run.checkpoints() + "/pinned", text);
}

void remove_old_checkpoints(const RunDirectory& run, int keep) {
  std::vector<int64_t> steps = list_checkpoints(run);
  const std::set<int64_t> pinned = read_pinned(run);
  std::erase_if(steps, [&](int64_t step) { return pinned.contains(step); });
  const size_t kept = std::min(steps.size(), static_cast<size_t>(std::max(keep, 1)));
  for (size_t i = 0; i + kept < steps.size(); ++i) fs::remove(checkpoint_path(run, steps[i]));
}

void remove_leftovers(const RunDirectory& run) {
  remove_temporaries(run.path);
  remove_temporaries(run.checkpoints());
}

}  // namespace hyscale::storage
