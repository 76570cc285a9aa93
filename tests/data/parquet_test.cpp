#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <parquet/column_writer.h>
#include <parquet/file_writer.h>

#include "core/base/error.h"
#include "core/data/documents.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using parquet::Repetition;
using parquet::schema::GroupNode;
using parquet::schema::PrimitiveNode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

using Row = std::optional<std::string>;
using RowGroup = std::vector<Row>;

std::shared_ptr<GroupNode> schema() {
  const auto number = PrimitiveNode::Make("id", Repetition::REQUIRED, parquet::Type::INT64);
  const auto text =
      PrimitiveNode::Make("text", Repetition::OPTIONAL, parquet::LogicalType::String(), parquet::Type::BYTE_ARRAY);
  return std::static_pointer_cast<GroupNode>(GroupNode::Make("schema", Repetition::REQUIRED, {number, text}));
}

void write_group(parquet::RowGroupWriter& group, const RowGroup& rows) {
  auto& ids = static_cast<parquet::Int64Writer&>(*group.NextColumn());
  const std::vector<int64_t> numbers(rows.size(), 7);
  ids.WriteBatch(static_cast<int64_t>(rows.size()), nullptr, nullptr, numbers.data());
  ids.Close();
  auto& texts = static_cast<parquet::ByteArrayWriter&>(*group.NextColumn());
  for (const Row& row : rows) {
    const int16_t level = row ? 1 : 0;
    const parquet::ByteArray value = row ? parquet::ByteArray(*row) : parquet::ByteArray();
    texts.WriteBatch(1, &level, nullptr, &value);
  }
  texts.Close();
  group.Close();
}

void write_parquet(const std::string& path, const std::vector<RowGroup>& groups,
                   parquet::Compression::type compression = parquet::Compression::SNAPPY, bool dictionary = true) {
  parquet::WriterProperties::Builder properties;
  properties.compression(compression)->data_pagesize(4096)->enable_page_checksum();
  if (!dictionary) properties.disable_dictionary();
  const auto sink = arrow::io::FileOutputStream::Open(path).ValueOrDie();
  const auto writer = parquet::ParquetFileWriter::Open(sink, schema(), properties.build());
  for (const RowGroup& rows : groups) write_group(*writer->AppendRowGroup(), rows);
  writer->Close();
  if (!sink->Close().ok()) throw std::runtime_error("cannot write " + path);
}

std::string document(int i) { return "document " + std::to_string(i) + " tells of " + std::to_string(i * i); }

std::vector<RowGroup> numbered_groups(int groups, int rows) {
  std::vector<RowGroup> all(static_cast<size_t>(groups));
  for (int i = 0; i < groups * rows; ++i) all[static_cast<size_t>(i / rows)].push_back(document(i));
  return all;
}

std::vector<std::string> documents_of(DocumentReader& reader) {
  std::vector<std::string> documents;
  for (TextPiece piece; reader.next(piece);) documents.push_back(piece.text);
  return documents;
}

class Parquet : public testing::Test {
 protected:
  DocumentReader reader(const ReaderPosition& from = {}, InvalidUtf8 policy = InvalidUtf8::fail) const {
    return DocumentReader({file_}, "text", policy, from);
  }
  auto preparing(const std::string& field = "text") const {
    return
        [this, field] { prepare({.inputs = {file_}, .tokenizer = "byte", .out = scratch_ / "out", .field = field}); };
  }
  ScratchDirectory scratch_;
  const std::string file_ = scratch_ / "a.parquet";
};

TEST_F(Parquet, GivesItsRowsInOrderOverAllRowGroups) {
  for (const auto compression : {parquet::Compression::UNCOMPRESSED, parquet::Compression::SNAPPY,
                                 parquet::Compression::GZIP, parquet::Compression::ZSTD})
    for (const bool dictionary : {true, false}) {
      write_parquet(file_, numbered_groups(3, 700), compression, dictionary);
      auto rows = reader();
      const auto documents = documents_of(rows);
      rows.throw_if_problems();
      ASSERT_EQ(documents.size(), 2100u);
      for (int i = 0; i < 2100; ++i) ASSERT_EQ(documents[static_cast<size_t>(i)], document(i));
    }
}

TEST_F(Parquet, GoesOnFromEveryRow) {
  write_parquet(file_, numbered_groups(3, 300));
  for (const int begun : {1, 255, 256, 257, 299, 300, 301, 600, 899}) {
    auto first = reader();
    TextPiece piece;
    for (int i = 0; i < begun; ++i) ASSERT_TRUE(first.next(piece));
    auto second = reader(first.position());
    const auto rest = documents_of(second);
    ASSERT_EQ(rest.size(), static_cast<size_t>(900 - begun));
    EXPECT_EQ(rest.front(), document(begun));
    EXPECT_EQ(rest.back(), document(899));
  }
}

TEST_F(Parquet, MakesTheSameCorpusAsTheSameLinesOfJson) {
  std::string lines;
  for (int i = 0; i < 120; ++i) lines += "{\"text\": \"" + document(i) + "\"}\n";
  scratch_.write("b.jsonl", lines);
  std::filesystem::create_directory(scratch_ / "in");
  write_parquet(scratch_ / "in/a.parquet", numbered_groups(2, 60));
  const auto from_rows = prepare({.inputs = {scratch_ / "in"}, .tokenizer = "byte", .out = scratch_ / "rows"});
  const auto from_lines = prepare({.inputs = {scratch_ / "b.jsonl"}, .tokenizer = "byte", .out = scratch_ / "lines"});
  EXPECT_EQ(all_tokens(Corpus(from_rows.manifest.directory), false),
            all_tokens(Corpus(from_lines.manifest.directory), false));
  EXPECT_EQ(all_tokens(Corpus(from_rows.manifest.directory), true),
            all_tokens(Corpus(from_lines.manifest.directory), true));
}

TEST_F(Parquet, CountsNullAndWhiteSpaceAsBlank) {
  write_parquet(file_, {{"one", std::nullopt, " \n"}, {std::nullopt, "", "two"}});
  auto rows = reader();
  EXPECT_THAT(documents_of(rows), ElementsAre("one", "two"));
  EXPECT_EQ(rows.position().blank, 4);
}

TEST_F(Parquet, GivesALongTextInPieces) {
  std::string text = "begin";
  while (text.size() < 3'000'000) text += " and so on";
  write_parquet(file_, {{text, "end"}});
  auto rows = reader();
  const auto pieces = documents_of(rows);
  ASSERT_GT(pieces.size(), 3u);
  std::string joined;
  for (size_t i = 0; i + 1 < pieces.size(); ++i) joined += pieces[i];
  EXPECT_EQ(joined, text);
  EXPECT_EQ(pieces.back(), "end");
}

TEST_F(Parquet, NamesTheRowOfTextThatIsNoUtf8) {
  write_parquet(file_, {{"one", "two"}, {"na\xefve", "four"}});
  EXPECT_THAT(preparing(), ThrowsMessage<ConfigError>(
                               AllOf(HasSubstr("a.parquet:3:3: not UTF-8"), HasSubstr("--invalid-utf8 replace"))));
  auto skipping = reader({}, InvalidUtf8::skip);
  EXPECT_THAT(documents_of(skipping), ElementsAre("one", "two", "four"));
  EXPECT_THAT(skipping.position().notes, ElementsAre(HasSubstr("a.parquet: 1 documents left out")));
}

TEST_F(Parquet, IsRefusedWithoutTheColumnOrWithOneOfNumbers) {
  write_parquet(file_, {{"one"}});
  EXPECT_THAT(preparing("content"),
              ThrowsMessage<ConfigError>(AllOf(HasSubstr("a.parquet: no column \"content\""), HasSubstr("id, text"))));
  EXPECT_THAT(preparing("id"), ThrowsMessage<ConfigError>(HasSubstr("a.parquet: column \"id\" holds no strings")));
}

TEST_F(Parquet, IsRefusedWhenTornAlteredOrEmpty) {
  write_parquet(file_, numbered_groups(2, 700), parquet::Compression::UNCOMPRESSED, false);
  const std::string whole = read_file(file_);
  const auto is_damaged = ThrowsMessage<ConfigError>(HasSubstr("a.parquet: not a whole Parquet file"));
  scratch_.write("a.parquet", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(preparing(), is_damaged);
  scratch_.write("a.parquet", "");
  EXPECT_THAT(preparing(), is_damaged);
  std::string altered = whole;
  const size_t at = altered.find(document(1300));
  ASSERT_NE(at, std::string::npos);
  altered[at] = 'D';
  scratch_.write("a.parquet", altered);
  EXPECT_THAT(preparing(),
              ThrowsMessage<ConfigError>(testing::ContainsRegex("a.parquet:1[12][0-9]+:1: not a whole.*checksum")));
  write_parquet(file_, {});
  EXPECT_THAT(preparing(), ThrowsMessage<ConfigError>(HasSubstr("a.parquet: no text in this file")));
}

}  // namespace
}  // namespace hyscale::data
