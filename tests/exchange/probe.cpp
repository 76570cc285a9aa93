// What the comparison with transformers needs of a run directory:
//   probe make RUN.yaml DIR SEED     a run directory with a random model, every tensor perturbed
//   probe logits DIR TOKENS OUT      its logits, raw fp32 [tokens, vocabulary]; TOKENS holds one sequence of ids
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/model/model.h"
#include "storage/files/checkpoint.h"

namespace {

using hyscale::OwnedTensor;
using hyscale::View;
using hyscale::model::Model;
using hyscale::model::Parameter;

View<float, 2> rows_of(const Parameter& p) {
  return (p.weight.rank() == 2 ? p.weight : p.weight.reshape({1, p.weight.numel()})).view<float, 2>();
}

// Norms, biases, A, D and dt leave their initial values too: a tensor that were lost or swapped would show.
void perturb(Model& model, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal;
  for (const Parameter& p : model.parameters().all()) {
    const auto rows = rows_of(p);
    const bool matrix = p.weight.rank() == 2;
    const float factor = p.spec.name == "embedding.weight" ? 15 : 1;  // logits of order 10, as a trained model has
    for (int64_t i = 0; i < rows.extent(0); ++i)
      for (int64_t j = 0; j < rows.extent(1); ++j)
        rows(i, j) = matrix ? factor * (rows(i, j) * (1 + 0.3f * normal(generator)) + 0.01f * normal(generator))
                            : rows(i, j) + 0.2f * normal(generator);
  }
}

void make(const std::string& run_yaml, const std::string& directory, uint64_t seed) {
  const hyscale::spec::RunConfig config = hyscale::spec::load_run_config(run_yaml);
  Model model(config.model, hyscale::DType::f32);
  model.parameters().initialise(seed);
  perturb(model, seed);
  std::vector<std::vector<float>> values;
  std::vector<hyscale::storage::NamedArray> arrays;
  for (const Parameter& p : model.parameters().all()) {
    const auto rows = rows_of(p);
    std::vector<float>& dense = values.emplace_back();
    for (int64_t i = 0; i < rows.extent(0); ++i) dense.insert(dense.end(), &rows(i, 0), &rows(i, 0) + rows.extent(1));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const Parameter& p = model.parameters().all()[i];
    arrays.push_back({"weights/" + p.spec.name, p.spec.shape, values[i]});
  }
  const hyscale::storage::RunDirectory run{directory};
  hyscale::make_writable_directory(run.checkpoints());
  hyscale::write_file_atomically(run.run_yaml(), hyscale::spec::to_yaml(config));
  hyscale::storage::write_checkpoint(
      hyscale::storage::checkpoint_path(run, 1),
      {.run_id = "probe", .run_yaml = hyscale::spec::to_yaml(config), .step = 1, .tokens = 1, .notes = {}}, arrays);
}

void load(Model& model, const std::string& directory) {
  const hyscale::storage::RunDirectory run{directory};
  const hyscale::storage::CheckpointReader checkpoint(
      hyscale::storage::checkpoint_path(run, hyscale::storage::list_checkpoints(run).back()));
  for (const Parameter& p : model.parameters().all()) {
    std::vector<float> dense(static_cast<size_t>(p.spec.count()));
    checkpoint.read("weights/" + p.spec.name, dense);
    const auto rows = rows_of(p);
    for (int64_t i = 0; i < rows.extent(0); ++i)
      std::copy_n(dense.begin() + i * rows.extent(1), rows.extent(1), &rows(i, 0));
  }
}

void logits(const std::string& directory, const std::string& tokens_file, const std::string& out) {
  std::ifstream in(tokens_file);
  const std::vector<int32_t> ids{std::istream_iterator<int32_t>(in), {}};
  const auto config = hyscale::spec::load_run_config(directory + "/run.yaml");
  Model model(config.model, hyscale::DType::f32);
  load(model, directory);
  const auto length = static_cast<int64_t>(ids.size());
  const OwnedTensor inputs(hyscale::DType::i32, {1, length}), targets(hyscale::DType::i32, {1, length});
  std::copy(ids.begin(), ids.end(), inputs.tensor().as<int32_t>());
  const OwnedTensor result(hyscale::DType::f32, {length, config.model.vocabulary});
  model.logits({.inputs = inputs, .targets = targets}, result);
  const auto* bytes = static_cast<const char*>(result.tensor().data());
  hyscale::write_file_atomically(out, {bytes, static_cast<size_t>(result.tensor().numel()) * sizeof(float)});
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 4 && words[0] == "make")
    make(words[1], words[2], std::strtoull(words[3].c_str(), nullptr, 10));
  else if (words.size() == 4 && words[0] == "logits")
    logits(words[1], words[2], words[3]);
  else
    return std::fputs("probe make RUN.yaml DIR SEED | probe logits DIR TOKENS OUT\n", stderr), 2;
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "probe: %s\n", e.what());
  return 1;
}
