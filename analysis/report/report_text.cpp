#include <fmt/format.h>

#include "analysis/number_text.h"
#include "analysis/report/page.h"

namespace hyscale::analysis {

std::string report_text(const Analysis& analysis) {
  const Dataset& data = analysis.data;
  std::string text = fmt::format("{}: {} runs, {} points", data.set.source, data.runs.size(), data.set.points.size());
  if (const std::string missing = unfinished_text(data); !missing.empty()) text += "; not done: " + missing;
  text += "\n\n";
  std::vector<std::vector<std::string>> rows = {{"FLOPs", "family", "loss*", "interval", "N*", "interval", "D*"}};
  for (const double budget : data.set.budgets())
    for (const FamilyIsoFlop& family : analysis.isoflop)
      for (const IsoFlopCurve& curve : family.curves)
        if (curve.budget == budget)
          rows.push_back({short_flops(budget), family.family, fixed(curve.loss, 4),
                          interval_text(curve.loss_interval, Quantity::loss),
                          curve.interior ? short_count(curve.n) : "not inside",
                          interval_text(curve.n_interval, Quantity::count), short_count(curve.d)});
  if (rows.size() > 1) text += text_table(rows) + "\n";
  for (const Verdict& verdict : verdicts(analysis)) text += verdict.sentence + "\n";
  for (const Answer& answer : analysis.answers)
    text += fmt::format("\n{}\n  {}: {}\n", answer.question.ask, outcome_text(answer.outcome), answer.sentence);
  return text;
}

}  // namespace hyscale::analysis
