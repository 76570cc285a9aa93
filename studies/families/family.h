#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/spec/run_config.h"
#include "studies/families/ladder.h"
#include "studies/study_spec.h"

namespace hyscale::studies {

/// One family at one size, matched in non-embedding parameters.
struct FittedModel {
  spec::ModelConfig model;
  int64_t layers = 0;     // depth that was asked for; the model is empty when the family has no such stack
  std::string stack;      // mixer names in order
  int64_t d_ff = 0;       // 0: none, or nothing fits and `problem` says why
  int64_t d_ff_step = 0;  // d_ff is a multiple of it
  int64_t target = 0;     // non-embedding parameters of the size
  int64_t non_embedding = 0;
  double off = 0;  // (non_embedding − target) / target
  std::string problem;
};

/// Reports mixers that the family needs and the base file does not name.
void check_family(const FamilySpec& family, const spec::RunFile& base, Problems& problems);

/// Takes the base file's mixers to the size, lays out the stack and solves d_ff: a multiple of 8 below 10M parameters
/// (4, 2 or 1 only where that cannot come within 2 %), of 64 above (32, 16 or 8 where that cannot come within 1 %).
/// `target` 0 means: take the size's own d_ff, or 8/3 d_model, and whatever parameters that gives. A size with the base
/// file's widths takes blocks, d_model and d_ff as they stand there; `off` then says how far that is from the target.
FittedModel fit_family(const FamilySpec& family, const SizeSpec& size, const spec::RunFile& base, int64_t target);

}  // namespace hyscale::studies
