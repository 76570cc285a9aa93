#include "analysis/report/findings.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "analysis/number_text.h"

namespace hyscale::analysis {
namespace {

std::vector<std::string> rivals_that_overlap(const Verdict& verdict) {
  std::vector<std::string> names;
  const Contender& best = verdict.ranking.front();
  for (size_t i = 1; i < verdict.ranking.size(); ++i) {
    const Contender& other = verdict.ranking[i];
    if (!best.interval.known() || !other.interval.known() || best.interval.overlaps(other.interval))
      names.push_back(other.family);
  }
  return names;
}

// What the pairs of equal size say where the intervals cannot tell.
std::string pairs_sentence(const Verdict& verdict, const std::vector<std::string>& overlapping) {
  std::vector<std::string> parts;
  for (const Contender& other : verdict.ranking)
    if (other.pairs.count > 0 && std::find(overlapping.begin(), overlapping.end(), other.family) != overlapping.end())
      parts.push_back(
          fmt::format("than {} in {} of {} pairs", other.family, other.pairs.first_lower, other.pairs.count));
  if (parts.empty()) return "";
  return fmt::format(" Size for size it is lower {}.", fmt::join(parts, ", "));
}

std::string misfit_sentence(const Verdict& verdict) {
  std::vector<std::string> names;
  for (const Contender& contender : verdict.ranking)
    if (contender.irregular) names.push_back(contender.family);
  if (names.empty()) return "";
  return fmt::format(" Parabolas that fit badly: {}.", fmt::join(names, ", "));
}

std::string sentence_of(const Verdict& verdict) {
  const std::string at = short_flops(verdict.budget) + " FLOPs: ";
  if (verdict.ranking.empty()) return at + "no family has its minimum inside the sizes trained, so none is ranked.";
  const Contender& best = verdict.ranking.front();
  const std::string figure =
      best.interval.known() ? fmt::format("{} ({})", fixed(best.loss, 4), interval_text(best.interval, Quantity::loss))
                            : fmt::format("{} (no interval)", fixed(best.loss, 4));
  if (verdict.ranking.size() == 1) return fmt::format("{}only {} can be read: {}.", at, best.family, figure);
  const std::vector<std::string> overlapping = rivals_that_overlap(verdict);
  if (overlapping.empty()) return fmt::format("{}{} is best: {}.", at, best.family, figure);
  if (!best.interval.known())
    return fmt::format("{}{} is lowest with {}; without intervals the data cannot say by how much.", at, best.family,
                       figure);
  return fmt::format("{}{} is lowest with {}, but the intervals do not separate it from {}.", at, best.family, figure,
                     fmt::join(overlapping, ", ")) +
         pairs_sentence(verdict, overlapping);
}

Verdict verdict_at(const Analysis& analysis, double budget) {
  Verdict verdict{.budget = budget};
  std::vector<std::pair<double, const IsoFlopCurve*>> curves;
  for (const FamilyIsoFlop& family : analysis.isoflop)
    for (const IsoFlopCurve& curve : family.curves) {
      if (curve.budget != budget) continue;
      if (curve.interior) {
        verdict.ranking.push_back({family.family, curve.loss, curve.loss_interval, family.irregular});
        curves.emplace_back(curve.loss, &curve);
      } else {
        verdict.not_ranked.push_back(family.family);
      }
    }
  std::sort(verdict.ranking.begin(), verdict.ranking.end(),
            [](const Contender& x, const Contender& y) { return x.loss < y.loss; });
  std::sort(curves.begin(), curves.end());
  for (size_t i = 1; i < curves.size(); ++i)
    verdict.ranking[i].pairs = compare_pairs(*curves.front().second, *curves[i].second);
  verdict.separated = verdict.ranking.size() > 1 && rivals_that_overlap(verdict).empty();
  verdict.sentence = sentence_of(verdict) + misfit_sentence(verdict);
  return verdict;
}

// Bits per byte for one nat per token: the same for all runs, which share tokenizer and validation text.
double bits_per_nat(const Dataset& data) {
  for (const RunSummary& run : data.runs)
    if (std::isfinite(run.bits_per_byte) && run.loss > 0) return run.bits_per_byte / run.loss;
  return kMissing;
}

}  // namespace

Analysis analyse(Dataset data, const FitOptions& options) {
  Analysis analysis{.data = std::move(data), .options = options};
  analysis.isoflop = fit_isoflop(analysis.data.set, {.bootstrap = options.bootstrap});
  analysis.fits = fit_families(analysis.data.set, options);
  analysis.answers = answer_questions(analysis.data.questions, analysis.isoflop, bits_per_nat(analysis.data));
  return analysis;
}

std::vector<Verdict> verdicts(const Analysis& analysis) {
  std::vector<Verdict> list;
  for (const double budget : analysis.data.set.budgets()) list.push_back(verdict_at(analysis, budget));
  return list;
}

std::vector<std::string> size_sentences(const Analysis& analysis) {
  std::vector<std::string> sentences;
  for (const FamilyIsoFlop& family : analysis.isoflop) {
    std::vector<std::string> parts;
    for (const IsoFlopCurve& curve : family.curves)
      if (curve.interior)
        parts.push_back(fmt::format("{} ({}) at {}", short_count(curve.n),
                                    interval_text(curve.n_interval, Quantity::count), short_flops(curve.budget)));
    std::string sentence = family.family + ": ";
    sentence +=
        parts.empty() ? "no budget has a minimum inside the sizes trained" : fmt::format("{}", fmt::join(parts, ", "));
    if (family.size_law.known)
      sentence += fmt::format("; N* grows as C^{} ({})", fixed(family.size_law.exponent, 2),
                              interval_text(family.size_law.exponent_interval, Quantity::exponent));
    sentences.push_back(sentence + ".");
  }
  return sentences;
}

std::string unfinished_text(const Dataset& data) {
  std::map<std::string, int> states;
  for (const RunSummary& run : data.runs)
    if (run.state != "done") ++states[run.state];
  std::vector<std::string> parts;
  for (const auto& [state, count] : states) parts.push_back(fmt::format("{} {}", count, state));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace hyscale::analysis
