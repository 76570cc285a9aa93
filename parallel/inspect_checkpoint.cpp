#include "parallel/inspect_checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <functional>
#include <numeric>

#include <nlohmann/json.hpp>

#include "core/spec/run_config.h"
#include "storage/files/checkpoint.h"

namespace hyscale::parallel {
namespace {

int64_t count(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace

bool is_hdf5(const std::string& path) {
  const std::string magic = "\x89HDF\r\n\x1a\n";
  std::string begin(magic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return begin == magic;
}

std::string checkpoint_text(const std::string& path) {
  const storage::CheckpointReader reader(path);
  const storage::CheckpointInfo& info = reader.info();
  const spec::TrainConfig train = spec::parse_run_config(info.run_yaml, path).train;
  std::string text = fmt::format("run id  {}\nstep    {} of {}\ntokens  {} of {}\n", info.run_id, info.step,
                                 train.steps(), info.tokens, train.tokens);
  for (const auto& [name, value] : info.notes) text += fmt::format("{:<7} {}\n", name, value);
  text += fmt::format("\n{:<48} {:>16} {:>12}\n", "tensor", "shape", "numbers");
  int64_t all = 0;
  for (const std::string& name : reader.names()) {
    const auto shape = reader.shape(name);
    text += fmt::format("{:<48} {:>16} {:>12}\n", name, fmt::format("[{}]", fmt::join(shape, ", ")), count(shape));
    all += count(shape);
  }
  return text + fmt::format("{:<48} {:>16} {:>12}\n", "together", "", all);
}

std::string checkpoint_json(const std::string& path) {
  const storage::CheckpointReader reader(path);
  const storage::CheckpointInfo& info = reader.info();
  nlohmann::ordered_json json{{"run_id", info.run_id},
                              {"step", info.step},
                              {"tokens", info.tokens},
                              {"notes", info.notes},
                              {"run_yaml", info.run_yaml}};
  for (const std::string& name : reader.names())
    json["tensors"].push_back({{"name", name}, {"shape", reader.shape(name)}});
  return json.dump(2) + "\n";
}

}  // namespace hyscale::parallel
