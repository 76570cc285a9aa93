#include "analysis/report/page.h"

#include <fmt/format.h>

#include "analysis/report/figures.h"
#include "analysis/report/html.h"
#include "analysis/report/sections.h"
#include "analysis/report/style.h"

namespace hyscale::analysis {

static std::string titled(const std::string& title, const std::string& body) {
  return body.empty() ? "" : fmt::format("<section><h2>{}</h2>\n{}</section>\n", title, body);
}

std::string report_page(const Analysis& analysis, const std::string& created) {
  const std::string name = escape(analysis.data.set.source);
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n";
  html += fmt::format("<title>{}: scaling report</title>\n<style>{}</style></head><body>\n", name, kStyle);
  html += fmt::format("<header><h1>{}</h1><p class=\"small\">Scaling report, {}</p></header>\n<main>\n", name,
                      escape(created));
  html += headline_section(analysis);
  html += titled("Loss against size at equal compute", isoflop_figure(analysis) + optimum_table(analysis));
  html += titled("The optimum against the budget", optimum_figure(analysis));
  html += titled("Training curves", training_figure(analysis.data));
  html += fit_section(analysis) + runs_section(analysis.data) + limits_section(analysis);
  html += provenance_section(analysis, created);
  return html + fmt::format("</main>\n<script>{}</script></body></html>\n", kScript);
}

}  // namespace hyscale::analysis
