#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "analysis/points.h"
#include "analysis/study_source.h"
#include "studies/study_spec.h"

namespace hyscale::analysis {

/// One run as a report lists it, finished or not. Numbers that do not exist yet are NaN.
struct RunSummary {
  std::string family = {}, size = {};
  std::string state = {}, cause = {};
  std::string role = {};
  std::string run = {}, cluster = {};
  std::string directory = {};
  int64_t seed = 0;
  double lr = kMissing;
  double budget = 0;                                // FLOPs; 0: none
  double asked = 0;                                 // the budget in the unit of the study's spec
  double n = kMissing, d = kMissing, c = kMissing;  // parameters, tokens, FLOPs
  double loss = kMissing, standard_error = kMissing, bits_per_byte = kMissing;
  double seconds = kMissing;
  struct CorpusLoss {
    std::string corpus = {};
    double loss = kMissing, standard_error = kMissing, bits_per_byte = kMissing;
  };
  std::vector<CorpusLoss> corpora = {};  // of a mixture
  std::string phase = {};                // of its learning rate at the end
  std::string tokenizer = {};
};

/// Training loss of one run, thinned to what a figure can show.
struct TrainingCurve {
  std::string family = {}, size = {}, run = {};
  double n = 0;
  std::vector<std::pair<double, double>> loss_at = {};  // (tokens, nats per token), ascending
};

/// Everything a report is made from.
struct Dataset {
  PointSet set = {};                                                 // what the fits see
  std::vector<RunSummary> runs = {};                                 // every planned run
  std::vector<TrainingCurve> curves = {};                            // the longest run of each family and size
  std::vector<std::string> rejected = {};                            // cells that the planner refused, with the reason
  std::vector<std::pair<std::string, std::string>> provenance = {};  // name, value
  std::vector<std::string> problems = {};                            // files that should be there but could not be read
  double unigram_entropy = kMissing;                                 // nats per token of the validation text
  std::vector<studies::Question> questions = {};                     // asked by the study's spec
};

/// Which columns of a study N, C and the loss are.
struct Conventions {
  std::string params = "non_embedding";   // total | non_embedding | without_head | active
  std::string flops = "with_head";        // paper | with_head | executed | six_n
  std::string metric = "nats_per_token";  // nats_per_token | bits_per_byte
};

/// A CSV's points as a dataset: every row counts as a finished run; there are no curves.
Dataset dataset_from_points(PointSet set);

/// The finished runs of a study. Of several learning rates of one cell the best is kept, with a notice. Throws
/// ConfigError when the store has no such study.
PointSet points_from_study(const std::string& store, const std::string& study, const Conventions& conventions,
                           ReadFrom where = ReadFrom::database);
Dataset dataset_from_study(const std::string& store, const std::string& study, const Conventions& conventions,
                           ReadFrom where = ReadFrom::database);

}  // namespace hyscale::analysis
