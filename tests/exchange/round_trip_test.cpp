#include <fstream>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "exchange/export_hf.h"
#include "exchange/import_hf.h"
#include "exchange/model_config.h"
#include "tests/exchange/exchange_fixture.h"

namespace hyscale::exchange {
namespace {

using namespace tests;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kA = "A: " + kAttention, kM = "M: " + kMamba2, kN = "N: " + kNoPositions;

const std::string kNarrow = "{kind: mamba2, d_ssm: 32, head_dim: 8, d_state: 8}";  // as wide as kAttention

class RoundTrip : public testing::Test {
 protected:
  RunOnDisk run(const std::string& yaml) { return {scratch_, "run-" + std::to_string(++runs_), yaml}; }
  std::string exported(const RunOnDisk& run, StoredType type = StoredType::f32) {
    const std::string out = run.path() + "-hf";
    export_to_hf({.directory = run.path(), .out = out, .step = {}, .type = type, .store = scratch_.path()});
    return out;
  }
  std::string imported(const std::string& directory, const std::string& base = "") {
    const std::string out = directory + "-back-" + std::to_string(++runs_);
    import_from_hf({.directory = directory, .out = out, .base = base});
    return out;
  }
  nlohmann::json json_of(const std::string& path) { return nlohmann::json::parse(read_file(path)); }
  /// What import says of config.json with one value changed.
  std::string refusal(const std::string& directory, const std::string& key, const nlohmann::json& value) {
    nlohmann::json json = json_of(directory + "/config.json");
    const std::string before = json.dump(2);
    json[key] = value;
    write_file_atomically(directory + "/config.json", json.dump());
    const std::string said = message_of<ConfigError>([&] { imported(directory); });
    write_file_atomically(directory + "/config.json", before);
    return said;
  }

  hyscale::tests::ScratchDirectory scratch_;
  int runs_ = 0;
};

TEST_F(RoundTrip, GivesBackEveryBitAndTheRunConfig) {
  for (const std::string& yaml :
       {run_yaml({kA}, "AA", kSwiglu), run_yaml({kM}, "MM", kNone), run_yaml({kA, kM}, "MAM", kSwiglu),
        run_yaml({kN, kM}, "NMN", kSwiglu), run_yaml({"H: " + hybrid("norm: none, fusion: add")}, "HH", kSwiglu),
        run_yaml({"H: " + hybrid("norm: none, fusion: subtract", kAttention, kMamba2)}, "HH", kSwiglu),
        run_yaml({"H: " + hybrid("norm: none, fusion: concat, output: joint")}, "HH", kSwiglu),
        run_yaml({"H: " + hybrid("norm: none, fusion: add, output: joint", kNarrow)}, "HH", kSwiglu)}) {
    const RunOnDisk original = run(yaml);
    const std::string back = imported(exported(original));
    EXPECT_EQ(weights_in(back), original.weights()) << yaml;
    EXPECT_EQ(read_file(back + "/run.yaml"), spec::to_yaml(original.config())) << yaml;
  }
}

TEST_F(RoundTrip, WithoutRunYamlTakesTheModelFromConfigJsonAndTheRestFromABase) {
  for (const std::string& yaml :
       {run_yaml({kA}, "AA", kSwiglu), run_yaml({kM}, "MM", kNone), run_yaml({kA, kM}, "MAM", kSwiglu),
        run_yaml({"A: " + kNoPositions, kM}, "AMA", kSwiglu)}) {
    const RunOnDisk original = run(yaml);
    const std::string directory = exported(original);
    std::filesystem::remove(directory + "/run.yaml");
    EXPECT_THAT(message_of<ConfigError>([&] { imported(directory); }), HasSubstr("--base"));
    const std::string back = imported(directory, original.path() + "/run.yaml");
    EXPECT_EQ(weights_in(back), original.weights()) << yaml;
    EXPECT_EQ(spec::canonical_form(spec::load_run_config(back + "/run.yaml"), {}),
              spec::canonical_form(original.config(), {}));
  }
}

TEST_F(RoundTrip, InBf16RoundsOnceAndIsExactAfterThat) {
  const RunOnDisk original = run(run_yaml({kA}, "A", kSwiglu));
  const auto weights = weights_in(imported(exported(original, StoredType::bf16)));
  for (const auto& [name, values] : original.weights())
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(weights.at(name)[i], from_bf16(to_bf16(values[i]))) << name;
}

TEST_F(RoundTrip, WritesWhatTransformersReads) {
  const RunOnDisk original = run(run_yaml({kA, kM}, "MAM", kSwiglu));
  const nlohmann::json config = json_of(exported(original) + "/config.json");
  EXPECT_EQ(config["architectures"], nlohmann::json::array({"BambaForCausalLM"}));
  EXPECT_EQ(config["attn_layer_indices"], nlohmann::json::array({1}));
  EXPECT_EQ(config["rope_parameters"]["partial_rotary_factor"], 1.0);  // the class would take a half
  EXPECT_EQ(config["mamba_expand"], 2);
  EXPECT_EQ(config["rms_norm_eps"], 0.0001);
  EXPECT_TRUE(config["tie_word_embeddings"].get<bool>());
}

TEST_F(RoundTrip, SaysOfAForeignModelEverythingThatItCannotBe) {
  const std::string directory = exported(run(run_yaml({kA}, "A", kSwiglu)));
  nlohmann::json json = json_of(directory + "/config.json");
  json["attention_bias"] = true;
  json["tie_word_embeddings"] = false;
  json["hidden_act"] = "gelu";
  json["rope_parameters"]["rope_type"] = "yarn";
  json["quantization_config"] = {{"bits", 4}};
  write_file_atomically(directory + "/config.json", json.dump());
  EXPECT_THAT(message_of<ConfigError>([&] { imported(directory); }),
              AllOf(HasSubstr("attention_bias is true"), HasSubstr("tie_word_embeddings is false"),
                    HasSubstr("hidden_act is gelu"), HasSubstr("rope_type is \"yarn\""),
                    HasSubstr("quantization_config is a key that is not known")));
}

TEST_F(RoundTrip, RefusesMultipliersAndLimits) {
  const std::string falcon = exported(run(run_yaml({"H: " + hybrid("norm: none, fusion: add")}, "H", kSwiglu)));
  EXPECT_THAT(refusal(falcon, "key_multiplier", 0.5), HasSubstr("key_multiplier is 0.5, not 1"));
  EXPECT_THAT(refusal(falcon, "mlp_multipliers", {1.0, 2.0}), HasSubstr("mlp_multipliers is [1.0,2.0], not 2 ones"));
  EXPECT_THAT(refusal(falcon, "attention_out_multiplier", 0.3), HasSubstr("attention_out_multiplier is 0.3"));
  EXPECT_THAT(refusal(falcon, "mamba_rms_norm", true), HasSubstr("mamba_rms_norm is true"));
  EXPECT_THAT(refusal(falcon, "time_step_limit", {0.0, 0.1}), HasSubstr("time_step_limit"));
  EXPECT_THAT(refusal(falcon, "rope_parameters", {{"rope_theta", 1e4}, {"attention_factor", 2}}),
              HasSubstr("rope_parameters.attention_factor is a key that is not known"));
  EXPECT_THAT(refusal(falcon, "rope_parameters", 5), HasSubstr("the rope parameters are 5, no object"));
  EXPECT_EQ(refusal(falcon, "time_step_limit", {0.0, {{"__float__", "Infinity"}}}), "");
  const std::string granite = exported(run(run_yaml({kN, kM}, "NM", kSwiglu)));
  EXPECT_THAT(refusal(granite, "attention_multiplier", 1.0), HasSubstr("1/√head_dim"));
  EXPECT_THAT(refusal(granite, "num_local_experts", 4), HasSubstr("mixture of experts"));
  EXPECT_THAT(refusal(granite, "model_type", "gpt2"),
              AllOf(HasSubstr("model_type is 'gpt2'"), HasSubstr("llama, mamba2")));
  EXPECT_THAT(refusal(granite, "hidden_size", "many"), HasSubstr("hidden_size is \"many\""));
}

TEST_F(RoundTrip, NoticesThatConfigAndRunYamlDisagree) {
  const std::string directory = exported(run(run_yaml({kA}, "A", kSwiglu)));
  EXPECT_THAT(refusal(directory, "rms_norm_eps", 1e-5),
              AllOf(HasSubstr("rms_norm_eps is 1e-05, not 0.0001"), HasSubstr("run.yaml")));
}

TEST_F(RoundTrip, NamesTensorsThatAreMissingTooManyOrOfAnotherShape) {
  const std::string directory = exported(run(run_yaml({kA}, "A", kSwiglu)));
  const auto fill = [](std::span<float> out) { std::fill(out.begin(), out.end(), 1.0f); };
  write_safetensors(directory + "/model.safetensors", {},
                    {{.name = "model.embed_tokens.weight", .shape = {29, 25}, .fill = fill},
                     {.name = "model.layers.0.self_attn.q_proj.bias", .shape = {24}, .fill = fill}},
                    StoredType::f32);
  EXPECT_THAT(message_of<ConfigError>([&] { imported(directory); }),
              AllOf(HasSubstr("model.embed_tokens.weight is [29, 25], config.json makes it [29, 24]"),
                    HasSubstr("model.norm.weight is missing"), HasSubstr("q_proj.bias has no place")));
}

TEST_F(RoundTrip, RefusesTwoProjectionsWhereTheRunHasOne) {
  const std::string directory =
      exported(run(run_yaml({"H: " + hybrid("norm: none, fusion: add, output: joint", kNarrow)}, "H", kSwiglu)));
  std::string file = read_file(directory + "/model.safetensors");
  const SafetensorsFile tensors(directory + "/model.safetensors");
  file.back() = static_cast<char>(file.back() ^ 1);  // of the norm, which nothing doubles
  write_file_atomically(directory + "/model.safetensors", file);
  EXPECT_EQ(message_of<ConfigError>([&] { imported(directory); }), "");
  std::vector<TensorToWrite> changed;
  for (const std::string& name : tensors.names())
    changed.push_back({.name = name, .shape = tensors.shape(name), .fill = [&, name](std::span<float> out) {
                         tensors.read(name, out);
                         if (name == "model.layers.0.mamba.out_proj.weight") out[3] += 1;
                       }});
  write_safetensors(directory + "/model.safetensors", {}, changed, StoredType::f32);
  EXPECT_THAT(message_of<ConfigError>([&] { imported(directory); }), HasSubstr("differs from the other one"));
}

TEST_F(RoundTrip, ReadsPythonsInfinity) {
  const std::string path =
      scratch_.write("config.json", R"({"a": [0.0, Infinity], "b": "Infinity \" NaN", "c": -Infinity})");
  EXPECT_EQ(read_python_json(path),
            nlohmann::json::parse(R"({"a": [0.0, "Infinity"], "b": "Infinity \" NaN", "c": "-Infinity"})"));
}

TEST_F(RoundTrip, NeverWritesOverAnything) {
  const RunOnDisk original = run(run_yaml({kA}, "A", kSwiglu));
  const std::string directory = exported(original);
  EXPECT_THAT(message_of<ConfigError>([&] { exported(original); }), HasSubstr("exists already"));
  EXPECT_THAT(
      message_of<ConfigError>([&] { import_from_hf({.directory = directory, .out = original.path(), .base = ""}); }),
      HasSubstr("exists already"));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { export_to_hf({.directory = original.path(), .out = scratch_ / "x", .step = 8, .store = ""}); }),
              AllOf(HasSubstr("no checkpoint of step 8"), HasSubstr("there are: 7")));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "x"));
}

}  // namespace
}  // namespace hyscale::exchange
