// Holds the house to its plan: who may include whom, and that no test file is left out of the build.
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "core/base/files.h"

namespace hyscale {
namespace {

namespace fs = std::filesystem;

struct Room {
  std::string name;
  std::regex files;                  // which paths belong to it
  std::vector<std::string> may_use;  // other rooms; its own files and core/base are always allowed
};

// First match wins, so the spec half of a mixer's folder stands before the rest of it.
const std::vector<Room>& rooms() {
  static const std::vector<std::string> below_model = {"tensor", "spec", "kernels", "mixers"};
  static const std::vector<Room> all = {
      {"base", std::regex("core/base/.*"), {}},
      {"tensor", std::regex("core/tensor/.*"), {}},
      {"spec", std::regex("core/spec/.*|core/mixers/.*_spec\\.(h|cpp)|core/mixers/list\\.def"), {}},
      {"kernels", std::regex("core/kernels/.*"), {"tensor", "spec"}},
      {"mixers", std::regex("core/mixers/.*"), {"tensor", "spec", "kernels"}},
      {"model", std::regex("core/model/.*"), below_model},
      {"data", std::regex("core/data/.*"), {"tensor", "spec"}},
      {"infer", std::regex("core/infer/.*"), {"tensor", "spec", "mixers", "model"}},
      {"optim", std::regex("core/optim/.*"), {"tensor", "spec", "kernels"}},
      {"files", std::regex("storage/files/.*"), {"tensor"}},
      {"db", std::regex("storage/db/.*"), {}},
      {"cluster", std::regex("cluster/.*"), {}},
      {"exchange", std::regex("exchange/.*"), {"tensor", "spec", "data", "files"}},
      {"parallel",
       std::regex("parallel/.*"),
       {"tensor", "spec", "kernels", "mixers", "model", "infer", "data", "optim", "files", "exchange"}},
      {"studies", std::regex("studies/.*"), {"spec"}},
      {"scheduler", std::regex("scheduler/.*"), {"studies", "files", "db", "cluster", "spec"}},
      {"analysis", std::regex("analysis/.*"), {"studies", "files", "db", "spec"}},
  };
  return all;
}

const Room* room_of(const std::string& path) {
  for (const Room& room : rooms())
    if (std::regex_match(path, room.files)) return &room;
  return nullptr;
}

fs::path root() {
  const char* given = std::getenv("HYSCALE_SOURCE_DIR");
  return given != nullptr ? fs::path(given) : fs::current_path();
}

std::vector<std::string> sources_below(const std::vector<std::string>& folders) {
  std::vector<std::string> found;
  for (const std::string& folder : folders)
    for (const auto& entry : fs::recursive_directory_iterator(root() / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh")
        found.push_back(fs::relative(entry.path(), root()).string());
    }
  return found;
}

std::vector<std::string> project_includes(const std::string& text) {
  static const std::regex include("#include \"([^\"]+)\"");
  std::vector<std::string> found;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), include); it != std::sregex_iterator(); ++it)
    found.push_back((*it)[1]);
  return found;
}

bool allowed(const Room& from, const Room& to) {
  if (to.name == from.name || to.name == "base") return true;
  return std::find(from.may_use.begin(), from.may_use.end(), to.name) != from.may_use.end();
}

TEST(Structure, IncludesRunOneWayOnly) {
  int checked = 0;
  for (const std::string& path :
       sources_below({"core", "storage", "cluster", "exchange", "parallel", "studies", "scheduler", "analysis"})) {
    const Room* from = room_of(path);
    ASSERT_NE(from, nullptr) << path << " belongs to no room of the house";
    for (const std::string& included : project_includes(read_file((root() / path).string()))) {
      const Room* to = room_of(included);
      ASSERT_NE(to, nullptr) << path << " includes \"" << included << "\", which is no path from the repository root";
      EXPECT_TRUE(allowed(*from, *to)) << path << " (" << from->name << ") may not include " << included << " ("
                                       << to->name << ")";
      ++checked;
    }
  }
  EXPECT_GT(checked, 100) << "the scan found too little: is HYSCALE_SOURCE_DIR right?";
}

TEST(Structure, TheRuleItselfRefusesAnUpwardInclude) {
  EXPECT_FALSE(allowed(*room_of("core/spec/run_config.h"), *room_of("core/model/model.h")));
  EXPECT_FALSE(allowed(*room_of("core/mixers/mamba2/mamba2_spec.h"), *room_of("core/tensor/tensor.h")));
  EXPECT_FALSE(allowed(*room_of("cluster/local.h"), *room_of("storage/db/results.h")));
  EXPECT_TRUE(allowed(*room_of("core/mixers/mamba2/mamba2.h"), *room_of("core/kernels/gemm.h")));
}

TEST(Structure, EveryTestFileIsRegistered) {
  std::map<std::string, std::string> lists;
  for (const std::string& path : sources_below({"tests"})) {
    if (!std::regex_match(path, std::regex(".*_test\\.(cpp|cu)"))) continue;
    const fs::path file = root() / path;
    const std::string list = (file.parent_path() / "CMakeLists.txt").string();
    if (!lists.count(list)) lists[list] = read_file(list);
    EXPECT_NE(lists[list].find(file.filename().string()), std::string::npos) << path << " is in no CMakeLists.txt";
  }
  EXPECT_GT(lists.size(), 5u);
}

}  // namespace
}  // namespace hyscale
