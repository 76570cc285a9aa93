#include <nlohmann/json.hpp>

#include "analysis/json_output.h"
#include "analysis/report/page.h"
#include "core/base/program.h"

namespace hyscale::analysis {

using nlohmann::json;

static json corpora_json(const RunSummary& run) {
  json corpora = json::array();
  for (const RunSummary::CorpusLoss& part : run.corpora)
    corpora.push_back({{"corpus", part.corpus},
                       {"loss", number_or_null(part.loss)},
                       {"standard_error", number_or_null(part.standard_error)},
                       {"bits_per_byte", number_or_null(part.bits_per_byte)}});
  return corpora;
}

static json to_json(const RunSummary& run) {
  return {{"family", run.family},
          {"size", run.size},
          {"state", run.state},
          {"cause", run.cause},
          {"role", run.role},
          {"run", run.run},
          {"cluster", run.cluster},
          {"seed", run.seed},
          {"lr", number_or_null(run.lr)},
          {"budget", run.budget},
          {"n", number_or_null(run.n)},
          {"d", number_or_null(run.d)},
          {"c", number_or_null(run.c)},
          {"loss", number_or_null(run.loss)},
          {"standard_error", number_or_null(run.standard_error)},
          {"bits_per_byte", number_or_null(run.bits_per_byte)},
          {"corpora", corpora_json(run)},
          {"seconds", number_or_null(run.seconds)}};
}

static json to_json(const Verdict& verdict) {
  json ranking = json::array();
  for (const Contender& contender : verdict.ranking)
    ranking.push_back(
        {{"family", contender.family},
         {"loss", number_or_null(contender.loss)},
         {"interval", to_json(contender.interval)},
         {"irregular", contender.irregular},
         {"pairs_with_best", {{"count", contender.pairs.count}, {"best_lower", contender.pairs.first_lower}}}});
  return {{"budget", verdict.budget},
          {"ranking", ranking},
          {"not_ranked", verdict.not_ranked},
          {"separated", verdict.separated},
          {"sentence", verdict.sentence}};
}

static json to_json(const Answer& answer) {
  const studies::Question& asked = answer.question;
  return {{"ask", asked.ask},
          {"compare", asked.compare},
          {"metric", asked.metric},
          {"at_flops", asked.at_flops},
          {"asked_difference", asked.difference},
          {"confidence", asked.confidence},
          {"answer", outcome_text(answer.outcome)},
          {"difference", number_or_null(answer.difference)},
          {"interval", to_json(answer.interval)},
          {"pairs",
           {{"count", answer.pairs.count},
            {"first_lower", answer.pairs.first_lower},
            {"smallest", answer.pairs.smallest},
            {"mean", answer.pairs.mean},
            {"largest", answer.pairs.largest}}},
          {"sentence", answer.sentence}};
}

static json to_json(const TrainingCurve& curve) {
  return {{"family", curve.family}, {"size", curve.size}, {"run", curve.run}, {"tokens_and_loss", curve.loss_at}};
}

std::string report_json(const Analysis& analysis, const std::string& created) {
  const Dataset& data = analysis.data;
  json runs = json::array(), answers = json::array(), headline = json::array(), curves = json::array(),
       provenance = json::object();
  for (const RunSummary& run : data.runs) runs.push_back(to_json(run));
  for (const Verdict& verdict : verdicts(analysis)) headline.push_back(to_json(verdict));
  for (const Answer& answer : analysis.answers) answers.push_back(to_json(answer));
  for (const TrainingCurve& curve : data.curves) curves.push_back(to_json(curve));
  for (const auto& [name, value] : data.provenance) provenance[name] = value;
  const BootstrapOptions& bootstrap = analysis.options.bootstrap;
  const json report = {{"format", "hyscale.report/1"},
                       {"created", created},
                       {"program", version_line("analyze")},
                       {"settings",
                        {{"confidence", bootstrap.confidence},
                         {"bootstrap", bootstrap.resamples},
                         {"seed", bootstrap.seed},
                         {"loss", name_of(analysis.options.loss.kind)},
                         {"delta", analysis.options.loss.delta}}},
                       {"headline", headline},
                       {"questions", answers},
                       {"sizes", size_sentences(analysis)},
                       {"limits", limits(analysis)},
                       {"data", to_json(data.set)},
                       {"isoflop", list_to_json(analysis.isoflop)},
                       {"fits", list_to_json(analysis.fits)},
                       {"runs", runs},
                       {"rejected", data.rejected},
                       {"training_curves", curves},
                       {"unfinished", unfinished_text(data)},
                       {"provenance", provenance}};
  return report.dump(1) + "\n";
}

}  // namespace hyscale::analysis
