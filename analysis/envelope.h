#pragma once

#include "analysis/bootstrap.h"
#include "analysis/dataset.h"
#include "analysis/isoflop.h"

namespace hyscale::analysis {

/// What is behind approach 1: the losses of one run along its training.
struct RunCurve {
  std::string family = {}, run = {};
  double n = 0;
  struct At {
    double d, c, loss;
  };
  std::vector<At> at = {};  // by ascending c
};
/// Rows of one run become its curve; runs of fewer than two rows are left out.
std::vector<RunCurve> curves_of(const PointSet& set);
/// A study's training curves, at the FLOPs per token of their size.
std::vector<RunCurve> curves_of(const Dataset& data);

/// Approach 1 of Hoffmann et al. 2022: at log-spaced FLOPs the run whose loss is lowest there.
struct Envelope {
  std::string family = {};
  struct Place {
    double flops = 0, n = 0, d = 0, loss = 0;
    std::string run = {};
  };
  std::vector<Place> places = {};
  PowerLaw size_law = {}, token_law = {};  // intervals by a bootstrap over runs
  std::vector<std::string> warnings = {};
};
std::vector<Envelope> envelopes(const std::vector<RunCurve>& curves, const BootstrapOptions& options);

}  // namespace hyscale::analysis
