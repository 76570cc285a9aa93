#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/db/rows.h"

namespace hyscale::storage {

/// One run of one study as analysis sees it: a row of view `study_points`.
struct ResultRow {
  std::string study;
  std::string run_id;
  std::string family;      // name in the spec
  std::string size;        // label in the spec, "1M"
  std::string state;       // planned submitted running done diverged failed cancelled lost
  std::string cause = {};  // of a failure
  std::string role;        // "trunk" | "branch" | "alone"
  std::string cluster;     // run id of the trunk it shares its prefix with; its own id otherwise
  int64_t seed = 0;
  double lr = 0;
  int64_t context = 0;
  int64_t d_model = 0, layers = 0, d_ff = 0;
  int64_t params_total = 0, params_non_embedding = 0, params_without_head = 0, params_active = 0;
  double budget_flops = 0;  // with_head, of the isoFLOP curve it is a point of; 0: of none
  std::string budget_kind;  // flops | tokens | tokens_per_parameter
  double budget = 0;        // as the spec gives it, of that kind
  std::string axes;         // "train.optimizer.weight_decay=0.1 …"; "": the study has none
  int64_t tokens = 0;       // trained on
  double flops_paper = 0, flops_with_head = 0, flops_executed = 0,
         flops_six_n = 0;  // of the whole run, prefix included
  double flops_per_token_with_head = 0;
  double cache_bytes = 0;                                             // of one sequence at the training context
  double validation_loss = 0, bits_per_byte = 0, standard_error = 0;  // NaN until done
  std::vector<CorpusLossRow> corpora = {};                            // of a mixture, once done
  double busy_seconds = 0;
  std::string directory = {};  // run directory
};

}  // namespace hyscale::storage
