#include "analysis/questions.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "analysis/number_text.h"

namespace hyscale::analysis {
namespace {

constexpr double kSameBudget = 5e-3;

std::map<std::string, double> mean_losses(const IsoFlopCurve& curve) {
  std::map<std::string, std::pair<double, int>> sums;
  for (const Point& point : curve.points)
    if (!point.size.empty()) sums[point.size].first += point.loss, ++sums[point.size].second;
  std::map<std::string, double> means;
  for (const auto& [size, sum] : sums) means[size] = sum.first / sum.second;
  return means;
}

const IsoFlopCurve* curve_at(const std::vector<FamilyIsoFlop>& families, const std::string& name, double flops) {
  for (const FamilyIsoFlop& family : families)
    for (const IsoFlopCurve& curve : family.curves)
      if (family.family == name && std::abs(curve.budget / flops - 1) < kSameBudget) return &curve;
  return nullptr;
}

// Why the optimum of one side cannot be compared; "" when it can.
std::string obstacle(const IsoFlopCurve* curve, const std::string& family) {
  if (curve == nullptr) return fmt::format("{} has no finished runs at that budget", family);
  if (!curve->interior) return fmt::format("{} has no minimum inside the sizes trained", family);
  return curve->loss_replicates.empty() ? fmt::format("{} has no intervals", family) : "";
}

Interval interval_of_difference(const IsoFlopCurve& first, const IsoFlopCurve& second, double scale,
                                double confidence) {
  std::vector<double> differences;
  const size_t count = std::min(first.loss_replicates.size(), second.loss_replicates.size());
  for (size_t i = 0; i < count; ++i)
    differences.push_back(scale * (second.loss_replicates[i] - first.loss_replicates[i]));
  return percentile_interval(std::move(differences), confidence);
}

// An interval narrows with the root of the runs behind it. 0 when the gain is so near the threshold that a thousandfold
// would not part them, or there is no interval.
int runs_to_decide(const Answer& answer, size_t runs) {
  const double apart = std::abs(answer.difference - answer.question.difference);
  const double reach = answer.difference > answer.question.difference ? answer.difference - answer.interval.low
                                                                      : answer.interval.high - answer.difference;
  const double times = reach / apart * (reach / apart);
  if (!std::isfinite(times) || times > 1000) return 0;
  return std::max(1, static_cast<int>(std::ceil(static_cast<double>(runs) * (times - 1))));
}

void judge(Answer& answer, const IsoFlopCurve& first, const IsoFlopCurve& second, double scale) {
  const studies::Question& asked = answer.question;
  answer.difference = scale * (second.loss - first.loss);
  answer.interval = interval_of_difference(first, second, scale, asked.confidence);
  if (answer.interval.known() && answer.interval.low > asked.difference) answer.outcome = Answer::Outcome::yes;
  if (answer.interval.known() && answer.interval.high < asked.difference) answer.outcome = Answer::Outcome::no;
  answer.sentence = fmt::format(
      "at {} FLOPs {} is {} than {} by {} {} ({:g}% interval of the gain {}; asked for: {:g})",
      short_flops(asked.at_flops), asked.compare[0], answer.difference >= 0 ? "lower" : "higher", asked.compare[1],
      fixed(std::abs(answer.difference), 4), asked.metric == "bits_per_byte" ? "bits per byte" : "nats per token",
      100 * asked.confidence, interval_text(answer.interval, Quantity::loss), asked.difference);
  if (const std::string pairs = pairs_text(answer.pairs); !pairs.empty())
    answer.sentence += fmt::format("; {} is {}", asked.compare[0], pairs);
  if (answer.outcome == Answer::Outcome::not_decided) {
    answer.more_runs = runs_to_decide(answer, first.points.size());
    answer.sentence +=
        answer.more_runs > 0
            ? fmt::format("; about {} more runs of each family at this budget, or seeds of these, would decide it",
                          answer.more_runs)
            : "; more runs alone would not decide it: the gain lies where the line was drawn";
  }
  answer.sentence += ".";
}

Answer answer_of(const studies::Question& question, const std::vector<FamilyIsoFlop>& families, double bits_per_nat) {
  Answer answer{.question = question};
  const IsoFlopCurve* first = curve_at(families, question.compare[0], question.at_flops);
  const IsoFlopCurve* second = curve_at(families, question.compare[1], question.at_flops);
  if (first != nullptr && second != nullptr) answer.pairs = compare_pairs(*first, *second);
  const double scale = question.metric == "bits_per_byte" ? bits_per_nat : 1;
  std::string why = obstacle(first, question.compare[0]);
  if (why.empty()) why = obstacle(second, question.compare[1]);
  if (why.empty() && !std::isfinite(scale)) why = "no run tells bits per byte";
  if (why.empty())
    judge(answer, *first, *second, scale);
  else
    answer.sentence = fmt::format("at {} FLOPs {}.", short_flops(question.at_flops), why);
  return answer;
}

}  // namespace

Pairs compare_pairs(const IsoFlopCurve& first, const IsoFlopCurve& second) {
  Pairs pairs;
  const std::map<std::string, double> others = mean_losses(second);
  for (const auto& [size, loss] : mean_losses(first)) {
    const auto other = others.find(size);
    if (other == others.end()) continue;
    const double gain = other->second - loss;
    pairs.smallest = pairs.count == 0 ? gain : std::min(pairs.smallest, gain);
    pairs.largest = pairs.count == 0 ? gain : std::max(pairs.largest, gain);
    pairs.mean += gain;
    pairs.first_lower += gain > 0;
    ++pairs.count;
  }
  if (pairs.count > 0) pairs.mean /= pairs.count;
  return pairs;
}

std::string pairs_text(const Pairs& pairs) {
  if (pairs.count == 0) return "";
  return fmt::format("lower in {} of {} pairs of equal size", pairs.first_lower, pairs.count);
}

std::vector<Answer> answer_questions(const std::vector<studies::Question>& questions,
                                     const std::vector<FamilyIsoFlop>& families, double bits_per_nat) {
  std::vector<Answer> answers;
  for (const studies::Question& question : questions) answers.push_back(answer_of(question, families, bits_per_nat));
  return answers;
}

std::string outcome_text(Answer::Outcome outcome) {
  return outcome == Answer::Outcome::yes ? "met" : outcome == Answer::Outcome::no ? "not met" : "undecided";
}

}  // namespace hyscale::analysis
