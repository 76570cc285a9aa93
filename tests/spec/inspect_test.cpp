// hybrid-worker inspect, run as a person runs it.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/spec/accounting.h"
#include "core/spec/corpus_manifest.h"
#include "core/spec/memory.h"
#include "tests/spec/run_text.h"
#include "tests/support/scratch.h"

namespace hyscale::spec {

using testing::HasSubstr;

struct Outcome {
  int status = -1;
  std::string output;  // both streams
};

class Inspect : public testing::Test {
 protected:
  void SetUp() override { scratch_.write("run.yaml", kRunText); }

  Outcome inspect(const std::string& arguments) const {
    const char* bin = std::getenv("HYSCALE_BIN_DIR");
    const std::string command =
        std::string(bin ? bin : "bin") + "/hybrid-worker inspect --store " + directory_ + " " + arguments + " 2>&1";
    Outcome outcome;
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> buffer{};
    for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) outcome.output.append(buffer.data(), n);
    outcome.status = WEXITSTATUS(pclose(pipe));
    return outcome;
  }
  CorpusIdentity prepare_corpus() const {
    const CorpusManifest manifest{.name = "tiny",
                                  .directory = corpus_directory(directory_, "tiny"),
                                  .tokenizer = "byte",
                                  .vocabulary = 258,
                                  .bos = 256,
                                  .eos = 257,
                                  .train_tokens = 1,
                                  .validation_tokens = 1,
                                  .train_documents = 1,
                                  .validation_documents = 1,
                                  .train_bytes = 1,
                                  .validation_bytes = 1,
                                  .identity = {std::string(64, 'a'), std::string(64, 'b')}};
    make_writable_directory(manifest.directory);
    save_corpus_manifest(manifest);
    return manifest.identity;
  }

  tests::ScratchDirectory scratch_;
  const std::string& directory_ = scratch_.path();
};

TEST_F(Inspect, JsonHoldsTheAccountOfTheModel) {
  const Outcome outcome = inspect("--json " + directory_ + "/run.yaml");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto json = nlohmann::json::parse(outcome.output);
  const Account a = account(parse_run_config(kRunText, "run.yaml").model);
  EXPECT_EQ(json.at("params").at("non_embedding"), a.params.non_embedding);
  EXPECT_EQ(json.at("train_flops_per_token").at("with_head"), a.train_flops_per_token.with_head);
  EXPECT_EQ(json.at("run_flops").at("executed"), a.train_flops_per_token.executed * 51200);
  EXPECT_EQ(json.at("cache_bytes_per_sequence").at("actual"), a.cache_bytes_per_sequence.actual);
  const auto& parts = json.at("cache_bytes_per_sequence").at("parts");
  double bytes = 0;
  for (const auto& part : parts) bytes += part.at("fp32").get<double>();
  EXPECT_EQ(bytes, a.cache_bytes_per_sequence.actual);
  EXPECT_EQ(parts.at("ssm_state").at("bf16"), parts.at("ssm_state").at("fp32")) << "states stay in fp32";
  EXPECT_EQ(json.at("layers").size(), 6u);
  EXPECT_EQ(json.at("steps"), 100);
  EXPECT_TRUE(json.at("run_id").is_null()) << "without its corpus a run has no id";
}

TEST_F(Inspect, KnowsTheRunIdOnceTheCorpusIsThere) {
  const CorpusIdentity corpus = prepare_corpus();
  const auto json = nlohmann::json::parse(inspect("--json " + directory_).output);  // a run directory works as well
  EXPECT_EQ(json.at("run_id"), run_id(parse_run_config(kRunText, "run.yaml"), corpus));
  EXPECT_THAT(inspect(directory_ + "/run.yaml").output, HasSubstr(json.at("run_id").get<std::string>()));
}

TEST_F(Inspect, TellsTheMemoryOfARankForGivenSettings) {
  const auto memory = [&](const std::string& more) {
    return nlohmann::json::parse(inspect("--json " + more + " " + directory_ + "/run.yaml").output)
        .at("memory_bytes_per_rank");
  };
  const auto one = memory("--micro-batch 1"), two = memory("--micro-batch 2"), shared = memory("--dp 2");
  const MemoryBytes m = memory_per_rank(parse_run_config(kRunText, "run.yaml").model, {.micro_batch = 1});
  EXPECT_EQ(one.at("activations"), m.activations);
  EXPECT_EQ(one.at("total"), m.total());
  EXPECT_EQ(two.at("activations"), 2 * m.activations);
  EXPECT_EQ(shared.at("optimizer"), m.optimizer / 2);
  EXPECT_THAT(inspect(directory_ + "/run.yaml").output, HasSubstr("memory per rank"));
  const Outcome uneven = inspect("--dp 3 " + directory_ + "/run.yaml");
  EXPECT_EQ(uneven.status, 2);
  EXPECT_THAT(uneven.output, HasSubstr("a batch of 2 sequences does not split over --dp 3"));
  EXPECT_LT(memory("--tp 2 --micro-batch 1").at("weights"), 0.6 * m.weights);
  const Outcome split = inspect("--tp 64 " + directory_ + "/run.yaml");
  EXPECT_EQ(split.status, 2);
  EXPECT_THAT(split.output, HasSubstr("the model does not split over 64 ranks"));
}

TEST_F(Inspect, ReadsEveryConfigOfThePaper) {
  const char* source = std::getenv("HYSCALE_SOURCE_DIR");
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(source ? source : ".") + "/studies/paper")) {
    const Outcome outcome = inspect("--json " + entry.path().string());
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(nlohmann::json::parse(outcome.output).at("context"), 8192);
    ++read;
  }
  EXPECT_EQ(read, 20);
}

TEST_F(Inspect, AppliesOverridesAndRefusesWrongOnesWithStatusTwo) {
  const Outcome shorter = inspect("--json --set train.tokens=25600 " + directory_ + "/run.yaml");
  EXPECT_EQ(nlohmann::json::parse(shorter.output).at("steps"), 50);
  const Outcome wrong = inspect(directory_ + "/run.yaml --set model.stack=MXM");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.output, HasSubstr("    MXM\n     ^"));
}

}  // namespace hyscale::spec
