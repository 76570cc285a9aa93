#include "analysis/text_output.h"

#include <cmath>
#include <fmt/format.h>

#include "analysis/csv.h"
#include "analysis/number_text.h"

namespace hyscale::analysis {
namespace {

using TextRows = std::vector<std::vector<std::string>>;

std::string notices_text(const PointSet& set) {
  std::string text;
  for (const std::string& warning : set.warnings) text += "warning: " + warning + "\n";
  for (const std::string& notice : set.notices) text += "note: " + notice + "\n";
  return text;
}

std::string warnings_text(const std::vector<std::string>& warnings) {
  std::string text;
  for (const std::string& warning : warnings) text += "  warning: " + warning + "\n";
  return text;
}

std::string parameters_text(const FamilyFit& fit, double confidence) {
  TextRows rows = {{"  parameter", "value", "standard error", fmt::format("{:.0f}% interval", 100 * confidence)}};
  const LawNumbers values = fit.law.numbers();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!fit.form.uses(static_cast<LawNumber>(i))) continue;
    const char* const formula = i == kSizeExponent    ? " = beta/(alpha+beta)"
                                : i == kTokenExponent ? " = alpha/(alpha+beta)"
                                                      : "";
    rows.push_back({fmt::format("  {}{}", kLawNames[i], formula), number_text(values[i], Quantity::general),
                    fit.covariance.known ? fmt::format("{:.2g}", fit.covariance.standard_error[i]) : "–",
                    interval_text(fit.ci[i], Quantity::general)});
  }
  return text_table(rows);
}

std::string card_text(const FitCard& card) {
  return fmt::format(
      "  {} of {} starts within 1e-6 of the best; objective {:.6g}; gradient {:.1e}; condition {:.1e}; rms of ln loss "
      "{:.2e}; {} resamples\n",
      card.starts_at_best, card.starts, card.objective, card.gradient_norm, card.condition, card.residual_rms,
      card.resamples);
}

std::string allocations_text(const FamilyFit& fit) {
  if (fit.allocations.empty()) return "";
  TextRows rows = {{"  budget", "N*", "interval", "D*", "interval", "loss", "interval", "beyond the data"}};
  for (const Allocation& at : fit.allocations)
    rows.push_back({"  " + short_flops(at.budget), short_count(at.n), interval_text(at.n_interval, Quantity::count),
                    short_count(at.d), interval_text(at.d_interval, Quantity::count), fixed(at.loss, 4),
                    interval_text(at.loss_interval, Quantity::loss),
                    at.extrapolation > 0.005 ? fmt::format("10^{:.1f} x", at.extrapolation) : "no"});
  return text_table(rows);
}

std::vector<std::string> curve_row(const IsoFlopCurve& curve) {
  const std::string verdict = !curve.fitted          ? "too few sizes"
                              : !curve.opens_upwards ? "opens downwards"
                              : !curve.interior      ? "outside the sizes"
                                                     : "interior";
  return {"  " + short_flops(curve.budget),
          std::to_string(curve.points.size()),
          short_count(curve.n),
          interval_text(curve.n_interval, Quantity::count),
          short_count(curve.d),
          fixed(curve.loss, 4),
          interval_text(curve.loss_interval, Quantity::loss),
          fmt::format("{}/{}", curve.sizes_below, curve.sizes_above),
          verdict};
}

std::string power_law_text(const char* name, const PowerLaw& law) {
  if (!law.known) return "";
  return fmt::format("  {}(C) ~ C^{} ({}), through {} budgets\n", name, fixed(law.exponent, 2),
                     interval_text(law.exponent_interval, Quantity::exponent), law.budgets);
}

}  // namespace

std::string points_text(const PointSet& set) {
  TextRows rows = {{"family", "size", "budget", "N", "D", "C", "loss", "se", "run", "cluster"}};
  for (const Point& p : set.points)
    rows.push_back({p.family, p.size, p.budget > 0 ? short_flops(p.budget) : "–", short_count(p.n), short_count(p.d),
                    short_flops(p.c), fixed(p.loss, 4), fixed(p.standard_error, 4), p.run.substr(0, 12),
                    p.cluster.substr(0, 12)});
  return text_table(rows) + notices_text(set);
}

std::string points_csv(const PointSet& set) {
  std::string text = "family,size,budget,n,d,c,loss,se,run,cluster,seed,phase,tokenizer\n";
  for (const Point& p : set.points)
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_cell(p.family), csv_cell(p.size), p.budget, p.n,
                    p.d, p.c, p.loss, std::isnan(p.standard_error) ? "" : fmt::format("{}", p.standard_error),
                    csv_cell(p.run), csv_cell(p.cluster), csv_cell(p.seed), csv_cell(p.phase), csv_cell(p.tokenizer));
  return text;
}

std::string fits_text(const PointSet& set, const std::vector<FamilyFit>& fits, double confidence) {
  std::string text =
      fmt::format("{}, N: {}, C: {}\n", formula(fits.empty() ? Form{} : fits.front().form), set.n_name, set.c_name);
  for (const FamilyFit& fit : fits) {
    text += fmt::format("\n{}: {} points, {} clusters, {} sizes\n", fit.family, fit.points, fit.clusters, fit.sizes);
    if (!fit.usable) {
      text += fit.fitted ? "  not to be relied on:\n" : "  no fit:\n";
      for (const std::string& reason : fit.reasons) text += "    " + reason + "\n";
      if (!fit.fitted) continue;
    }
    text +=
        parameters_text(fit, confidence) + card_text(fit.card) + allocations_text(fit) + warnings_text(fit.warnings);
  }
  return text + notices_text(set);
}

std::string isoflop_text(const PointSet& set, const std::vector<FamilyIsoFlop>& families, double confidence) {
  std::string text = fmt::format("loss quadratic in ln N at each budget; N: {}, C: {}, intervals {:.0f}%\n", set.n_name,
                                 set.c_name, 100 * confidence);
  for (const FamilyIsoFlop& family : families) {
    text += "\n" + family.family + "\n";
    TextRows rows = {
        {"  budget", "points", "N*", "interval", "D*", "loss*", "interval", "sizes below/above", "minimum"}};
    for (const IsoFlopCurve& curve : family.curves) rows.push_back(curve_row(curve));
    if (!family.curves.empty()) text += text_table(rows);
    text += power_law_text("N*", family.size_law) + power_law_text("D*", family.token_law);
    if (const IsoFlopNoise& noise = family.noise; noise.degrees_of_freedom > 0)
      text += fmt::format("  scatter about the parabolas {:.4f} nats, from {} degrees of freedom{}\n", noise.deviation,
                          noise.degrees_of_freedom,
                          noise.shared > 0 ? fmt::format("; clusters share {:.0f}% of it", 100 * noise.shared) : "");
    text += warnings_text(family.warnings);
    for (const IsoFlopCurve& curve : family.curves)
      for (const std::string& warning : curve.warnings)
        text += fmt::format("  warning: {}: {}\n", short_flops(curve.budget), warning);
  }
  return text + notices_text(set);
}

}  // namespace hyscale::analysis
