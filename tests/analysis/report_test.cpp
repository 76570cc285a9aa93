#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "analysis/report/chart.h"
#include "analysis/report/html.h"
#include "analysis/report/page.h"
#include "analysis/report/ticks.h"
#include "tests/analysis/study_store.h"

namespace hyscale::analysis {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Analysis analysis_of(const StudyStore& store) {
  return analyse(dataset_from_study(store.path(), store.study(), {}), {.bootstrap = {.resamples = 40}});
}

TEST(Report, ShowsEveryPartOfAFinishedStudy) {
  StudyStore store;
  store.add_planted("transformer", 2.0, 1e-3, 1);
  store.add_planted("hybrid", 1.7, 1e-3, 2);
  const Analysis analysis = analysis_of(store);
  const std::string page = report_page(analysis, "2026-01-01T00:00:00Z");
  for (const char* part : {"id=\"headline\"", "id=\"isoflop\"", "id=\"optimum\"", "id=\"training\"", "id=\"fit\"",
                           "id=\"runs\"", "id=\"limits\"", "id=\"provenance\"", "run0001", "node1"})
    EXPECT_THAT(page, HasSubstr(part));
  EXPECT_THAT(page, Not(HasSubstr("Not complete")));
  EXPECT_THAT(page, Not(HasSubstr(">nan<")));
}

TEST(Report, NamesTheBestFamilyOnlyWhenIntervalsAreApart) {
  StudyStore apart, together;
  apart.add_planted("transformer", 2.0, 1e-3, 1);
  apart.add_planted("hybrid", 1.7, 1e-3, 2);
  together.add_planted("transformer", 1.8, 1e-2, 1);
  together.add_planted("hybrid", 1.8, 1e-2, 2);
  for (const Verdict& verdict : verdicts(analysis_of(apart))) {
    EXPECT_TRUE(verdict.separated);
    EXPECT_THAT(verdict.sentence, HasSubstr("hybrid is best"));
  }
  const Analysis analysis = analysis_of(together);
  for (const Verdict& verdict : verdicts(analysis)) {
    EXPECT_FALSE(verdict.separated);
    EXPECT_THAT(verdict.sentence, HasSubstr("do not separate"));
  }
  EXPECT_THAT(limits(analysis), Contains(HasSubstr("ranking of the families is not settled")));
}

TEST(Report, AnswersTheQuestionsOfTheSpec) {
  StudyStore store;
  store.add_planted("transformer", 2.0, 1e-3, 1);
  store.add_planted("hybrid", 1.7, 1e-3, 2);
  const Analysis analysis = analysis_of(store);
  EXPECT_THAT(analysis.data.problems, testing::IsEmpty());
  EXPECT_THAT(report_page(analysis, "now"), HasSubstr("<dt>Is the hybrid better?</dt><dd><strong>met</strong>"));
  const auto twin = nlohmann::json::parse(report_json(analysis, "now"));
  EXPECT_EQ(twin["questions"][0]["answer"], "met");
  EXPECT_NEAR(twin["questions"][0]["difference"].get<double>(), 0.3, 0.01);
}

TEST(Report, SaysWhenTheQuestionsCannotBeRead) {
  StudyStore store("hybrids", "questions: [");
  EXPECT_THAT(analysis_of(store).data.problems, Contains(HasSubstr("the questions of the study's spec")));
}

TEST(Report, IsMadeOfAnUnfinishedAndOfAnUntouchedStudy) {
  StudyStore some, none;
  some.add({.n = 1e6});
  some.add({.n = 2e6, .state = "running"});
  none.add({.state = "planned"});
  EXPECT_THAT(report_page(analysis_of(some), "now"),
              AllOf(HasSubstr("Not complete: of 2 runs, 1 running"), HasSubstr("no usable fit")));
  EXPECT_THAT(report_page(analysis_of(none), "now"), HasSubstr("No run is done yet"));
  EXPECT_FALSE(report_text(analysis_of(none)).empty());
}

TEST(Report, LetsNoTextOfTheDataActAsMarkup) {
  StudyStore store("<img src=x onerror=alert(1)>");
  for (const double n : {1e6, 2e6, 4e6})
    store.add({.family = "</script><script>alert('1')</script>",
               .n = n,
               .state = n > 2e6 ? "failed" : "done",
               .cause = "<b>"});
  const std::string page = report_page(analysis_of(store), "now");
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;1&#39;)"));
}

TEST(Report, NeedsNothingFromOutside) {
  StudyStore store;
  store.add_planted("transformer", 2.0, 1e-3, 1);
  const std::string page = report_page(analysis_of(store), "now");
  for (const char* outside : {"http:", "https:", "src=", "href=", "@import", "url("})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
}

TEST(Report, HasATwinWithTheSameNumbers) {
  StudyStore store;
  store.add_planted("transformer", 2.0, 1e-3, 1);
  const Analysis analysis = analysis_of(store);
  const auto twin = nlohmann::json::parse(report_json(analysis, "now"));
  EXPECT_EQ(twin["format"], "hyscale.report/1");
  EXPECT_EQ(twin["runs"].size(), 21u);
  EXPECT_EQ(twin["isoflop"][0]["budgets"][1]["n_opt"].get<double>(), analysis.isoflop[0].curves[1].n);
  EXPECT_EQ(twin["fits"][0]["alpha"].get<double>(), analysis.fits[0].law.alpha);
  EXPECT_EQ(twin["headline"][0]["ranking"][0]["family"], "transformer");
}

TEST(Ticks, AreRoundNumbers) {
  EXPECT_THAT(linear_ticks(2.61, 3.58, 6), ElementsAre(testing::DoubleNear(2.8, 1e-9), testing::DoubleNear(3.0, 1e-9),
                                                       testing::DoubleNear(3.2, 1e-9), testing::DoubleNear(3.4, 1e-9)));
  EXPECT_THAT(log_ticks(15e3, 25e4, 6), ElementsAre(20e3, 50e3, 100e3, 200e3));
  EXPECT_THAT(log_ticks(1, 1e12, 6).size(), testing::AllOf(testing::Ge(3u), testing::Le(7u)));
  EXPECT_THAT(log_ticks(3.1e6, 3.9e6, 6).size(), testing::Ge(3u));
}

TEST(Chart, DrawsArrowsForOpenEndsAndNothingOutsideItsFrame) {
  const double infinity = std::numeric_limits<double>::infinity();
  Chart chart{.title = "a < b",
              .x = {.label = "x", .low = 1, .high = 10, .logarithmic = true, .text = [](double) { return ""; }},
              .y = {.label = "y", .low = 0, .high = 1, .text = [](double) { return ""; }}};
  chart.series.push_back(
      {.points = {{2, 0.5}, {3, 7}, {std::nan(""), 0.5}}, .color = "red", .line = true, .marker = 0});
  chart.bars.push_back({2, 0.5, 0, infinity, true, "red"});
  const std::string svg = svg_of(chart);
  EXPECT_THAT(svg, AllOf(HasSubstr("a &lt; b"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) ++circles;
  EXPECT_EQ(circles, 1u);
  EXPECT_THAT(svg, HasSubstr("class=\"bar\""));
}

}  // namespace
}  // namespace hyscale::analysis
