#include <cmath>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "storage/files/run_directory.h"
#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

using nlohmann::json;
using storage::RunDirectory;
using ::testing::HasSubstr;

std::vector<std::string> eval(const Workshop& shop, const std::string& name, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"eval", shop.out(name), "--store", shop.path("store")};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

json evaluated(const Workshop& shop, const std::string& name, std::vector<std::string> more = {}) {
  more.push_back("--json");
  const Outcome outcome = shop.run(eval(shop, name, more));
  EXPECT_EQ(outcome.status, 0) << outcome.said;
  return json::parse(outcome.said);
}

void train_with_rope(const Workshop& shop) {
  const Outcome outcome = shop.run(shop.train(
      "run", {"--set", "model.mixers.A.rope={theta: 100}", "--checkpoint-every", "150", "--eval-every", "150"}));
  ASSERT_EQ(outcome.status, 0) << outcome.said;
}

TEST(Eval, GivesTheLossThatTrainingRecordedForTheSameCheckpoint) {
  const Workshop shop;
  train_with_rope(shop);
  const auto record = storage::read_run_record(RunDirectory{shop.out("run")}.run_h5());
  const json last = evaluated(shop, "run"), earlier = evaluated(shop, "run", {"--checkpoint", "150"});
  ASSERT_EQ(record.evals.size(), 2u);
  EXPECT_EQ(earlier["step"], 150);
  EXPECT_EQ(earlier["loss"], record.evals[0].loss);
  EXPECT_EQ(last["step"], 200);
  EXPECT_EQ(last["trained_tokens"], 102400);
  EXPECT_EQ(last["loss"], record.evals[1].loss);
  EXPECT_EQ(last["bits_per_byte"], record.evals[1].bits_per_byte);
  EXPECT_EQ(last["standard_error"], record.evals[1].standard_error);
  EXPECT_NEAR(last["perplexity"], std::exp(record.evals[1].loss), 1e-9);
  const Outcome text = shop.run(eval(shop, "run"));
  EXPECT_THAT(text.said, HasSubstr("nats/token"));
  EXPECT_THAT(text.said, HasSubstr("bits/byte"));
}

TEST(Eval, CountsTheSameTokensAtAnyContextAndAnExtensionChangesTheLossAlone) {
  const Workshop shop;
  train_with_rope(shop);
  const json trained = evaluated(shop, "run"), longer = evaluated(shop, "run", {"--context", "300"});
  EXPECT_EQ(longer["context"], 300);
  EXPECT_EQ(longer["trained_context"], 64);
  EXPECT_EQ(longer["tokens"], trained["tokens"]);
  EXPECT_NE(longer["loss"], trained["loss"]);
  for (const char* extension : {"linear", "ntk", "yarn"}) {
    const std::string name = extension;
    EXPECT_NE(evaluated(shop, "run", {"--context", "300", "--rope-extension", name + ":4"})["loss"], longer["loss"]);
    EXPECT_EQ(evaluated(shop, "run", {"--context", "300", "--rope-extension", name + ":1"})["loss"], longer["loss"]);
  }
}

TEST(Eval, KeepsDocumentsApartWhenTheRunDoes) {
  const Workshop shop;
  ASSERT_EQ(shop.run(shop.train("crossed")).status, 0);
  ASSERT_EQ(shop.run(shop.train("apart", {"--set", "data.cross_document=false"})).status, 0);
  const auto loss = [&](const char* name) {
    return storage::read_run_record(RunDirectory{shop.out(name)}.run_h5()).evals.back().loss;
  };
  EXPECT_NE(loss("apart"), loss("crossed"));
  EXPECT_EQ(evaluated(shop, "apart")["loss"], loss("apart"));
}

TEST(Eval, SharesTheWindowsBetweenRanks) {
  Workshop shop;
  train_with_rope(shop);
  const json alone = evaluated(shop, "run");
  shop.launcher = {"mpirun", "-n", "2"};
  shop.extra = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
                {"OMPI_MCA_mpi_yield_when_idle", "1"},
                {"OMPI_MCA_hwloc_base_binding_policy", "none"},
                {"OMPI_MCA_pml", "ob1"}};
  EXPECT_EQ(evaluated(shop, "run")["loss"], alone["loss"]);
}

TEST(Eval, SaysWhatItCannotDoAndWhatToDoInstead) {
  const Workshop shop;
  ASSERT_EQ(shop.run(shop.train("run", {"--set", "train.tokens=51200"})).status, 0);
  const auto refused = [&](const Outcome& outcome, const char* what, const char* remedy) {
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.said, HasSubstr(what));
    EXPECT_THAT(outcome.said, HasSubstr(remedy));
  };
  refused(shop.run(eval(shop, "nothing")), "is no run directory", "--out of hybrid-worker train");
  refused(shop.run(eval(shop, "run", {"--checkpoint", "7"})), "no checkpoint of step 7", "there is one of step 100");
  refused(shop.run(eval(shop, "run", {"--rope-extension", "yarn:2"})), "no layer of this model has rotary positions",
          "leave it out");
  refused(shop.run(eval(shop, "run", {"--rope-extension", "stretch:2"})), "'stretch:2' is no extension", "yarn:4");
  const std::string config = shop.out("run") + "/run.yaml", text = read_file(config), vocabulary = "vocabulary: 258";
  write_file_atomically(config, std::string(text).replace(text.find(vocabulary), vocabulary.size(), "vocabulary: 100"));
  refused(shop.run(eval(shop, "run")), "model.vocabulary is 100", "set model.vocabulary to 258");
  write_file_atomically(config, text);
  std::filesystem::remove_all(shop.out("run") + "/checkpoints");
  refused(shop.run(eval(shop, "run")), "has no checkpoint", "train it first");
}

}  // namespace
}  // namespace hyscale::parallel
