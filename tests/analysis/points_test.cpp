#include "analysis/points.h"

#include <filesystem>
#include <gmock/gmock.h>

#include "analysis/csv.h"
#include "analysis/text_output.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::analysis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Points : public testing::Test {
 protected:
  Points() { std::filesystem::create_directories(directory_); }
  ~Points() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& content) const {
    const std::string path = directory_ + "/points.csv";
    write_file_atomically(path, content);
    return path;
  }
  std::string complaint(const std::string& content, const std::string& columns = "") const {
    try {
      points_from_csv(file(content), parse_columns(columns));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }
  PointSet read(const std::string& content, const std::string& columns = "") const {
    return points_from_csv(file(content), parse_columns(columns));
  }

 private:
  std::string directory_ = testing::TempDir() + "/hyscale-points-" + std::to_string(::getpid());
};

TEST_F(Points, ComeFromNamedColumns) {
  const PointSet set = read("who,params,tokens,flops,nll,trunk\nmamba,1e6,2e7,1.3e14,3.5,t1\n",
                            "n=params,d=tokens,c=flops,loss=nll,family=who,cluster=trunk");
  ASSERT_EQ(set.points.size(), 1u);
  EXPECT_EQ(set.points[0].family, "mamba");
  EXPECT_EQ(set.points[0].n, 1e6);
  EXPECT_EQ(set.points[0].c, 1.3e14);
  EXPECT_EQ(set.points[0].cluster, "t1");
  EXPECT_EQ(set.points[0].run, "row 2");
  EXPECT_EQ(set.n_name, "params");
}

TEST_F(Points, SayEveryBadCellWithItsPlace) {
  const std::string text = complaint("n,d,loss\n1e6,2e7,3.5\nmany,2e7,1\n1e6,2e7\n1e6,2e7,3.1x\n");
  EXPECT_THAT(text, AllOf(HasSubstr("points.csv:3:1: n = 'many'"), HasSubstr("points.csv:5:9: loss = '3.1x'"),
                          HasSubstr("points.csv:4:1: this row has 2 cells, the header has 3")));
}

TEST_F(Points, LeaveOutRowsWithoutLogarithmsAndNameThem) {
  const PointSet set =
      read("n,d,Final Loss\n1e6,2e7,3.5\n1e6,nan,3\n2e6,2e7,-1\n0,2e7,1\n3e6,2e7,\n4e6,inf,3\n", "loss=Final Loss");
  EXPECT_EQ(set.points.size(), 1u);
  ASSERT_EQ(set.warnings.size(), 1u);
  EXPECT_THAT(set.warnings[0],
              AllOf(HasSubstr("points.csv:3:5: d = 'nan'"), HasSubstr("points.csv:4:9: Final Loss = '-1'"),
                    HasSubstr("points.csv:5:1: n = '0'"), HasSubstr("points.csv:6:9: Final Loss = ''"),
                    HasSubstr("points.csv:7:5: d = 'inf'")));
  EXPECT_THAT(complaint("n,d,loss\n-1,2,3\n"), HasSubstr("no row can be used"));
}

TEST_F(Points, AcceptBlanksAndAPlusSignAroundNumbers) { EXPECT_EQ(read("n,d,loss\n 1e6 ,+2e7,3\n").points[0].d, 2e7); }

TEST_F(Points, NameRowsThatRepeatAnother) {
  const PointSet set = read("n,d,loss\n1e6,2e7,3.5\n1e6,2e7,3.6\n1e6,2e7,3.5\n");
  EXPECT_EQ(set.points.size(), 3u);
  EXPECT_THAT(set.warnings, testing::ElementsAre(HasSubstr("row 4 repeats row 2")));
}

TEST_F(Points, WarnOfMixedPhasesAndTokenizers) {
  const PointSet set = read("n,d,loss,phase,tokenizer\n1,2,3,stable,bpe\n1,2,4,decayed,byte\n");
  EXPECT_THAT(set.warnings, testing::ElementsAre(HasSubstr("1 of decayed, 1 of stable"), HasSubstr("bits per byte")));
  EXPECT_TRUE(read("n,d,loss,phase,tokenizer\n1,2,3,stable,bpe\n1,2,4,stable,bpe\n").warnings.empty());
}

TEST_F(Points, SuggestColumnsThatSoundLikeWhatIsMissing) {
  EXPECT_THAT(complaint("Model Size,Training FLOP,final_loss\n1,2,3\n"),
              AllOf(HasSubstr("--columns n=\"Model Size\""), HasSubstr("--columns c=\"Training FLOP\""),
                    HasSubstr("--columns loss=\"final_loss\"")));
}

TEST_F(Points, ReadCovariatesAndComplainOfMissingOnes) {
  const std::string path = file("n,d,loss,depth\n1,2,3,12\n");
  EXPECT_EQ(points_from_csv(path, {}, {"depth"}).points[0].covariates[0], 12);
  EXPECT_THROW(points_from_csv(path, {}, {"dept"}), ConfigError);
}

TEST_F(Points, ProposeTheColumnThatWasMeant) {
  EXPECT_THAT(complaint("params,tokens,loss\n1,2,3\n", "n=parms,d=tokens"),
              HasSubstr("has no column 'parms'\n  try:     did you mean 'params'?"));
}

TEST_F(Points, NameTheFieldsThatNoColumnFeeds) {
  EXPECT_THAT(complaint("a,b\n1,2\n"),
              AllOf(HasSubstr("feeds 'n'"), HasSubstr("feeds 'loss'"), HasSubstr("'c' (FLOPs)")));
}

TEST_F(Points, RefuseUnknownFieldsOfColumns) {
  EXPECT_THROW(parse_columns("params=n"), ConfigError);
  EXPECT_THROW(parse_columns("n=a,n=b"), ConfigError);
  EXPECT_THROW(parse_columns("n"), ConfigError);
}

TEST_F(Points, SayThatMissingFlopsWereTakenAsSixNd) {
  const PointSet set = read("n,d,loss\n1e6,2e7,3.5\n");
  EXPECT_DOUBLE_EQ(set.points[0].c, 1.2e14);
  EXPECT_THAT(set.notices, testing::Contains(HasSubstr("C was taken as 6 N D")));
}

TEST_F(Points, ReadQuotedCellsAndForeignLineEnds) {
  const PointSet set = read("family,n,d,c,loss\r\n\"a \"\"big\"\", one\",1,2,3,4\r\n\r\n\"two\nlines\",1,2,3,5\r\n");
  ASSERT_EQ(set.points.size(), 2u);
  EXPECT_EQ(set.points[0].family, "a \"big\", one");
  EXPECT_EQ(set.points[1].family, "two\nlines");
  EXPECT_THAT(complaint("n,d,loss\n1,2,3\n\"1,2,3\n"), HasSubstr("points.csv:3:1: a quoted cell is never closed"));
}

TEST_F(Points, SurviveBeingWrittenAndReadAgain) {
  PointSet set{.source = "x"};
  set.points.push_back({.family = "a,b",
                        .size = "1M",
                        .budget = 3e14,
                        .n = 1.0 / 3,
                        .d = 7,
                        .c = 1e15,
                        .loss = 2.0 / 3,
                        .standard_error = 0.01,
                        .run = "r\"1",
                        .cluster = "t"});
  const PointSet again = read(points_csv(set));
  EXPECT_EQ(again.points[0].family, "a,b");
  EXPECT_EQ(again.points[0].run, "r\"1");
  EXPECT_EQ(again.points[0].n, 1.0 / 3);
  EXPECT_EQ(again.points[0].loss, 2.0 / 3);
  EXPECT_EQ(again.points[0].standard_error, 0.01);
  EXPECT_THAT(again.notices, testing::IsEmpty());
}

}  // namespace
}  // namespace hyscale::analysis
