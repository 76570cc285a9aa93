#pragma once

#include <string>
#include <vector>

#include "analysis/isoflop.h"
#include "studies/study_spec.h"

namespace hyscale::analysis {

/// Runs of two families that share size and budget, and so the validation text too.
struct Pairs {
  int count = 0;
  int first_lower = 0;                         // pairs in which the first family's loss is lower
  double smallest = 0, mean = 0, largest = 0;  // second's loss less the first's, nats
};
/// Matches by size label; several runs of one label are averaged.
Pairs compare_pairs(const IsoFlopCurve& first, const IsoFlopCurve& second);
/// "lower in 4 of 4 pairs of equal size"; "" without pairs.
std::string pairs_text(const Pairs& pairs);

struct Answer {
  enum class Outcome { yes, no, not_decided };
  studies::Question question;
  Outcome outcome = Outcome::not_decided;
  double difference = kMissing;  // of the metric at the optima: by how much compare[0] is lower
  Interval interval = {};        // at the question's confidence
  Pairs pairs = {};              // in nats
  int more_runs = 0;  // of a question that is not decided: about so many more of each family decide it; 0: unknown
  std::string sentence = {};  // with the numbers, or why there are none
};

/// Compares the families' optima at the question's budget, which must be one of the study's (within 0.5 %). Yes: the
/// whole interval of the difference lies above what was asked for; no: below. The interval is unpaired: it redraws the
/// two families independently. `bits_per_nat` turns nats per token into bits per byte.
std::vector<Answer> answer_questions(const std::vector<studies::Question>& questions,
                                     const std::vector<FamilyIsoFlop>& families, double bits_per_nat);

/// "met", "not met", "undecided".
std::string outcome_text(Answer::Outcome outcome);

}  // namespace hyscale::analysis
