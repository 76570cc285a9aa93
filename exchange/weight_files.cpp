#include "exchange/weight_files.h"

#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace hyscale::exchange {

namespace fs = std::filesystem;

WeightFiles::WeightFiles(const std::string& directory) {
  const std::string single = directory + "/model.safetensors", index = single + ".index.json";
  if (fs::exists(single)) {
    files_.emplace_back(single);
    for (const std::string& name : files_.front().names()) place_[name] = 0;
  } else if (fs::exists(index)) {
    read_index(directory, index);
  } else {
    throw ConfigError({.what = fmt::format("{} has no weights: neither model.safetensors nor its index", directory),
                       .remedy = "files of other formats (.bin, .gguf) must be converted to safetensors first"});
  }
}

// {"weight_map": {tensor: file, …}}
void WeightFiles::read_index(const std::string& directory, const std::string& index) {
  const auto damaged = [&](const std::string& what) {
    throw DamagedFile({.what = fmt::format("{} is damaged: {}", index, what), .remedy = "fetch the model again"});
  };
  const nlohmann::json json = nlohmann::json::parse(read_file(index), nullptr, false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object() ||
      json["weight_map"].empty())
    damaged("it has no weight_map");
  std::map<std::string, size_t> opened;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos)
      damaged(fmt::format("the file of tensor {} is {}", tensor, file.dump()));
    const std::string name = file.get<std::string>();
    if (!opened.contains(name)) {
      if (!fs::exists(directory + "/" + name)) damaged(fmt::format("the file {} is not there", name));
      opened[name] = files_.size();
      files_.emplace_back(directory + "/" + name);
    }
    const size_t at = opened.at(name);
    if (!files_[at].has(tensor)) damaged(fmt::format("{} does not hold tensor {}", name, tensor));
    place_[tensor] = at;
  }
}

std::vector<std::string> WeightFiles::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : place_) names.push_back(name);
  return names;
}

}  // namespace hyscale::exchange
