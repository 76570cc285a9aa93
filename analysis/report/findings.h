#pragma once

#include <string>
#include <vector>

#include "analysis/dataset.h"
#include "analysis/isoflop.h"
#include "analysis/law_fit.h"
#include "analysis/questions.h"

namespace hyscale::analysis {

/// A dataset with everything that was fitted to it.
struct Analysis {
  Dataset data = {};
  std::vector<FamilyIsoFlop> isoflop = {};
  std::vector<FamilyFit> fits = {};
  std::vector<Answer> answers = {};  // to the study's questions
  FitOptions options = {};
};
Analysis analyse(Dataset data, const FitOptions& options);

/// One family at one budget, as the headline ranks it.
struct Contender {
  std::string family = {};
  double loss = 0;
  Interval interval = {};
  bool irregular = false;  // its parabolas fit badly
  Pairs pairs = {};        // of the best one with this one
};

/// Who is best at one budget and whether the data can tell.
struct Verdict {
  double budget = 0;
  std::vector<Contender> ranking = {};       // families with an interior minimum, lowest loss first
  std::vector<std::string> not_ranked = {};  // families without one
  bool separated = false;                    // the best one's interval lies below all others
  std::string sentence = {};
};
std::vector<Verdict> verdicts(const Analysis& analysis);

/// What can be said of each family's compute-optimal size.
std::vector<std::string> size_sentences(const Analysis& analysis);

/// What cannot be concluded, each with its evidence and, where there is one, its remedy.
std::vector<std::string> limits(const Analysis& analysis);

/// Runs that are not done, counted by state: "3 running, 1 failed"; "" when all are.
std::string unfinished_text(const Dataset& data);

}  // namespace hyscale::analysis
