#include "analysis/report/sections.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analysis/number_text.h"
#include "analysis/report/html.h"
#include "core/base/clock.h"
#include "core/base/program.h"

namespace hyscale::analysis {
namespace {

HtmlCell number(const std::string& text, double sort) {
  return {.text = text, .sort = std::isfinite(sort) ? fmt::format("{}", sort) : "", .number = true};
}
HtmlCell words(const std::string& text, const std::string& hint = "") { return {.text = text, .hint = hint}; }

using Rows = std::vector<std::vector<HtmlCell>>;

// Parameters downwards, families across: stays narrow.
std::string parameter_table(const std::vector<FamilyFit>& fits) {
  std::vector<std::string> headings = {"parameter"};
  Rows rows;
  for (const char* name : {"E", "A", "B", "α", "β", "a", "b"}) rows.push_back({words(name)});
  for (const FamilyFit& fit : fits) {
    if (!fit.usable) continue;
    headings.push_back(fit.family);
    const LawNumbers values = fit.law.numbers();
    for (size_t i = 0; i < rows.size(); ++i)
      rows[i].push_back(words(fmt::format("{} ({})", number_text(values[i], Quantity::general),
                                          interval_text(fit.ci[i], Quantity::general))));
  }
  return headings.size() > 1 ? html_table(headings, rows) : "";
}

std::string loss_text(const FitLoss& loss) {
  return loss.kind == FitLoss::Kind::huber ? fmt::format("Huber loss of ln L (δ = {:g})", loss.delta) : "squares of L";
}

// One row a family, one column a budget.
std::string size_table(const Analysis& analysis) {
  const std::vector<double> budgets = analysis.data.set.budgets();
  std::vector<std::string> headings = {"family"};
  for (const double budget : budgets) headings.push_back(short_flops(budget) + " FLOPs");
  headings.emplace_back("x of N* ~ C^x");
  Rows rows;
  for (const FamilyIsoFlop& family : analysis.isoflop) {
    rows.push_back({words(family.family)});
    for (const double budget : budgets) {
      HtmlCell cell{.text = "–"};
      for (const IsoFlopCurve& curve : family.curves)
        if (curve.budget == budget)
          cell = curve.interior ? words(fmt::format("{} ({})", short_count(curve.n),
                                                    interval_text(curve.n_interval, Quantity::count)))
                                : words("not inside the sizes", fmt::format("{}", fmt::join(curve.warnings, "; ")));
      rows.back().push_back(cell);
    }
    rows.back().push_back(words(family.size_law.known
                                    ? fmt::format("{} ({})", number_text(family.size_law.exponent, Quantity::exponent),
                                                  interval_text(family.size_law.exponent_interval, Quantity::exponent))
                                    : "–"));
  }
  return html_table(headings, rows);
}

std::vector<HtmlCell> card_row(const FamilyFit& fit) {
  const FitCard& card = fit.card;
  return {words(fit.family),
          number(std::to_string(fit.points), static_cast<double>(fit.points)),
          number(std::to_string(fit.clusters), static_cast<double>(fit.clusters)),
          number(fmt::format("{} of {}", card.starts_at_best, card.starts), card.starts_at_best),
          number(fmt::format("{:.5g}", card.objective), card.objective),
          number(fmt::format("{:.0e}", card.gradient_norm), card.gradient_norm),
          number(fmt::format("{:.0e}", card.condition), card.condition),
          number(fmt::format("{:.2e}", card.residual_rms), card.residual_rms),
          number(std::to_string(card.resamples), card.resamples),
          words(card.bounds_hit.empty() ? "none" : fmt::format("{}", fmt::join(card.bounds_hit, "; ")))};
}

std::string allocation_table(const Analysis& analysis) {
  Rows rows;
  for (const FamilyFit& fit : analysis.fits)
    for (const Allocation& at : fit.allocations)
      rows.push_back({words(fit.family), number(short_flops(at.budget), at.budget), number(short_count(at.n), at.n),
                      words(interval_text(at.n_interval, Quantity::count)), number(short_count(at.d), at.d),
                      words(interval_text(at.d_interval, Quantity::count)), number(fixed(at.d / at.n, 1), at.d / at.n),
                      number(fixed(at.loss, 4), at.loss), words(interval_text(at.loss_interval, Quantity::loss))});
  if (rows.empty()) return "";
  return "<h3>Where the law would spend each budget</h3>\n" +
         html_table({"family", "FLOPs", "N*", "interval", "D*", "interval", "D*/N*", "loss", "interval"}, rows);
}

// What the "minimum" column says: short, with the whole warning on hover.
HtmlCell minimum_cell(const IsoFlopCurve& curve) {
  const std::string hint = fmt::format("{}", fmt::join(curve.warnings, "; "));
  if (!curve.fitted) return words("too few sizes", hint);
  if (!curve.opens_upwards) return words("none", hint);
  if (!curve.interior) return words("outside the sizes", hint);
  return words(fmt::format("{} below, {} above", curve.sizes_below, curve.sizes_above), hint);
}

std::string answers_html(const Analysis& analysis) {
  if (analysis.answers.empty()) return "";
  std::string html = "<h3>Questions asked before the runs</h3>\n<dl class=\"answers\">\n";
  for (const Answer& answer : analysis.answers)
    html += fmt::format("<dt>{}</dt><dd><strong>{}</strong>: {}</dd>\n", escape(answer.question.ask),
                        outcome_text(answer.outcome), escape(answer.sentence));
  return html + "</dl>\n";
}

std::string refusals(const Analysis& analysis) {
  std::vector<std::string> items;
  for (const FamilyFit& fit : analysis.fits)
    if (!fit.usable) items.push_back(fmt::format("{}: no usable fit: {}", fit.family, fmt::join(fit.reasons, "; ")));
  return items.empty() ? "" : html_list(items);
}

}  // namespace

std::string headline_section(const Analysis& analysis) {
  std::string html = "<section id=\"headline\"><h2>What can be said</h2>\n";
  if (const std::string missing = unfinished_text(analysis.data); !missing.empty())
    html +=
        fmt::format("<p class=\"notice\">Not complete: of {} runs, {}. What follows uses the {} that are done.</p>\n",
                    analysis.data.runs.size(), escape(missing), analysis.data.set.points.size());
  if (analysis.data.set.points.empty()) return html + "<p>No run is done yet, so nothing can be said.</p></section>\n";
  std::vector<std::string> ranking;
  for (const Verdict& verdict : verdicts(analysis)) ranking.push_back(verdict.sentence);
  html += "<h3>Best family at each budget</h3>\n";
  html +=
      ranking.empty() ? "<p>No point names a FLOP budget, so that no budget can be judged.</p>\n" : html_list(ranking);
  html += answers_html(analysis);
  if (!ranking.empty()) html += "<h3>Compute-optimal size</h3>\n" + size_table(analysis);
  return html + fmt::format(
                    "<p class=\"small\">Loss at the minimum of the isoFLOP parabola; in brackets the {:.0f}% "
                    "interval. Two families count as separated only when their intervals do not overlap. The intervals "
                    "are unpaired: each family's are made from its own scatter alone. A pair is one size trained in "
                    "both families at the same budget.</p></section>\n",
                    100 * analysis.options.bootstrap.confidence);
}

std::string optimum_table(const Analysis& analysis) {
  Rows rows;
  for (const FamilyIsoFlop& family : analysis.isoflop)
    for (const IsoFlopCurve& curve : family.curves)
      rows.push_back({words(family.family), number(short_flops(curve.budget), curve.budget),
                      number(std::to_string(curve.points.size()), static_cast<double>(curve.points.size())),
                      number(short_count(curve.n), curve.n), words(interval_text(curve.n_interval, Quantity::count)),
                      words(curve.interior ? interval_text(curve.plateau, Quantity::count) : "–"),
                      number(short_count(curve.d), curve.d), words(interval_text(curve.d_interval, Quantity::count)),
                      number(fixed(curve.loss, 4), curve.loss),
                      words(interval_text(curve.loss_interval, Quantity::loss)), minimum_cell(curve)});
  if (rows.empty()) return "";
  return html_table({"family", "FLOPs", "points", "N*", "interval", "N for +0.1% loss", "D*", "interval", "loss",
                     "interval", "sizes about N*"},
                    rows) +
         "<p class=\"small\">N for +0.1% loss: every size in this range comes within 0.1% of the best loss on the "
         "parabola. It is a plateau, not an interval: it says how little the choice matters, even when N* itself is "
         "well known.</p>\n";
}

std::string fit_section(const Analysis& analysis) {
  Rows cards;
  for (const FamilyFit& fit : analysis.fits)
    if (fit.card.starts > 0) cards.push_back(card_row(fit));
  std::string html = fmt::format(
      "<section id=\"fit\"><h2>The fitted law</h2>\n<p>L(N, D) = E + A/N<sup>α</sup> + B/D<sup>β</sup>, one fit a "
      "family: "
      "{}, {:.0f}% intervals from {} resamples of whole trunks (seed {}). a = β/(α+β) and b "
      "= "
      "α/(α+β) are the exponents of N*(C) and D*(C).</p>\n",
      loss_text(analysis.options.loss), 100 * analysis.options.bootstrap.confidence,
      analysis.options.bootstrap.resamples, analysis.options.bootstrap.seed);
  html += parameter_table(analysis.fits);
  html += refusals(analysis);
  if (!cards.empty())
    html += "<h3>Fit card</h3>\n" + html_table({"family", "points", "clusters", "starts at best", "objective",
                                                "gradient", "condition", "rms of ln L", "resamples", "limits hit"},
                                               cards);
  return html + allocation_table(analysis) + "</section>\n";
}

/// What each corpus of a mixture adds: nothing when there is no mixture.
static std::string corpus_losses(const Dataset& data) {
  Rows rows;
  for (const RunSummary& run : data.runs)
    for (const RunSummary::CorpusLoss& part : run.corpora)
      rows.push_back({words(run.family), words(run.size), number(short_flops(run.c), run.c), words(part.corpus),
                      number(fixed(part.loss, 4), part.loss), number(fixed(part.bits_per_byte, 4), part.bits_per_byte),
                      words(run.run.substr(0, 12), run.run)});
  if (rows.empty()) return "";
  return "<h3>Losses of the mixture's corpora</h3>\n" +
         html_table({"family", "size", "FLOPs", "corpus", "loss", "bits/byte", "run"}, rows, true);
}

std::string runs_section(const Dataset& data) {
  Rows rows;
  for (const RunSummary& run : data.runs) {
    const std::string loss = std::isfinite(run.standard_error)
                                 ? fmt::format("{} ± {}", fixed(run.loss, 4), fixed(run.standard_error, 4))
                                 : fixed(run.loss, 4);
    rows.push_back({words(run.state, run.cause), words(run.family), words(run.size), number(short_count(run.n), run.n),
                    number(short_count(run.d), run.d), number(short_flops(run.c), run.c), number(loss, run.loss),
                    number(fixed(run.bits_per_byte, 4), run.bits_per_byte), number(fixed(run.seconds, 0), run.seconds),
                    number(std::to_string(run.seed), static_cast<double>(run.seed)),
                    words(run.run.substr(0, 12), run.run)});
  }
  std::string html =
      "<section id=\"runs\"><h2>All runs</h2>\n<p class=\"small\">Press a heading to sort. ± is the standard "
      "error over validation windows, not over seeds.</p>\n";
  html += html_table({"state", "family", "size", "N", "D", "FLOPs", "loss", "bits/byte", "seconds", "seed", "run"},
                     rows, true);
  html += corpus_losses(data);
  if (!data.rejected.empty()) html += "<h3>Rejected cells</h3>\n" + html_list(data.rejected);
  return html + "</section>\n";
}

std::string limits_section(const Analysis& analysis) {
  return "<section id=\"limits\"><h2>What cannot be concluded</h2>\n" + html_list(limits(analysis)) + "</section>\n";
}

std::string provenance_section(const Analysis& analysis, const std::string& created) {
  std::string html = "<section id=\"provenance\"><h2>Where this comes from</h2>\n<dl>\n";
  const auto add = [&](const std::string& name, const std::string& value) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value));
  };
  for (const auto& [name, value] : analysis.data.provenance) add(name, value);
  add("N counts", analysis.data.set.n_name);
  add("FLOPs are", analysis.data.set.c_name);
  add("report made", created);
  add("by", version_line("analyze"));
  return html + "</dl></section>\n";
}

}  // namespace hyscale::analysis
