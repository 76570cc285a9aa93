// The layer sets of arXiv 2510.04800 that ship as studies: lists equal to the tables', and plans that are accepted.
#include <gmock/gmock.h>
#include <set>

#include "tests/spec/paper_tables.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using spec::StackRule;

struct Table {
  const char *spec, *file, *family, *size, *indices, *mixer;
};

class PaperPositions : public testing::TestWithParam<Table> {
 protected:
  static StudySpec shipped() {
    return load_study_spec(tests::source_path(std::string("studies/specs/") + GetParam().spec + ".yaml"));
  }
  // "1to3_front", "1to12_single_7"
  static std::string family_name(const tests::PaperRow& row) {
    std::string name = row.text("block_ratio");
    name.replace(name.find(':'), 1, "to");
    name += "_" + row.text("pattern");
    return row.text("pattern") == "single" ? name + "_" + row.text(GetParam().indices) : name;
  }
  static bool wanted(const tests::PaperRow& row) {
    if (row.has("family") && row.text("family") != GetParam().family) return false;
    if (row.has("mode") && row.text("mode") != "same_tokens") return false;
    return row.text("size") == GetParam().size && row.has(GetParam().indices) && row.text("pattern") != "all" &&
           row.text("pattern") != "none";
  }
  // What the table prints; indices beyond the stack, which the table's own notes name, left out.
  static std::vector<int64_t> printed(const tests::PaperRow& row, int64_t depth) {
    std::istringstream text(row.text(GetParam().indices));
    std::vector<int64_t> layers;
    for (int64_t layer = 0; text >> layer;) {
      if (layer <= depth)
        layers.push_back(layer);
      else
        EXPECT_THAT(row.text("suspect"), testing::HasSubstr(GetParam().indices));
    }
    return layers;
  }
};

TEST_P(PaperPositions, AreTheListsThatTheTablePrints) {
  const StudySpec spec = shipped();
  std::set<std::string> seen;
  for (const tests::PaperRow& row : tests::read_paper_table(GetParam().file)) {
    if (!wanted(row)) continue;
    const int64_t depth =
        row.count("attn_layers") + row.count("swa_layers") + row.count("ssm_layers") + row.count("hybrid_layers");
    const std::string name = family_name(row);
    seen.insert(name);
    const auto family = std::find_if(spec.families.begin(), spec.families.end(),
                                     [&](const FamilySpec& one) { return one.name == name; });
    ASSERT_NE(family, spec.families.end()) << name;
    ASSERT_EQ(family->stack.named.size(), 1u);
    EXPECT_EQ(family->stack.named[0].mixer, GetParam().mixer);
    EXPECT_EQ(family->stack.depth, depth) << name;
    EXPECT_EQ(family->stack.named[0].layers, printed(row, depth)) << name;
  }
  EXPECT_EQ(seen.size(), spec.families.size());
}

TEST_P(PaperPositions, ArePlannedAsOneRunForEachList) {
  const tests::ScratchDirectory store;
  const spec::CorpusManifest corpus{.name = "dclm-llama3",
                                    .directory = spec::corpus_directory(store.path(), "dclm-llama3"),
                                    .tokenizer = "huggingface",
                                    .vocabulary = 128256,
                                    .bos = 128000,
                                    .eos = 128001,
                                    .train_tokens = 70'000'000'000,
                                    .validation_tokens = 100'000'000,
                                    .train_documents = 10,
                                    .validation_documents = 2,
                                    .train_bytes = 300'000'000'000,
                                    .validation_bytes = 400'000'000,
                                    .unigram_entropy = 7,
                                    .identity = {std::string(64, 'a'), std::string(64, 'b')}};
  make_writable_directory(corpus.directory);
  save_corpus_manifest(corpus);
  const StudySpec spec = shipped();
  const Plan plan = make_plan(spec, store.path());
  EXPECT_TRUE(plan.rejected.empty());
  ASSERT_EQ(plan.runs.size(), spec.families.size());
  for (const PlannedRun& run : plan.runs) EXPECT_NEAR(static_cast<double>(run.train.tokens), 60e9, 5e9);
}

INSTANTIATE_TEST_SUITE_P(
    Tables, PaperPositions,
    testing::Values(
        Table{"paper-positions-inter-1b", "inter_position.csv", "inter_hybrid", "1B", "attn_indices_1based", "A"},
        Table{"paper-positions-inter-350m", "inter_position.csv", "inter_hybrid", "350M", "attn_indices_1based", "A"},
        Table{"paper-positions-swa-1b", "inter_position.csv", "swa", "1B", "attn_indices_1based", "A"},
        Table{"paper-positions-intra-1b", "intra_ratio_position.csv", "", "1B", "hybrid_indices_1based", "H"}),
    [](const auto& param) {
      std::string name = param.param.spec;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace hyscale::studies
