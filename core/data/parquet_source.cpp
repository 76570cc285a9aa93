#include "core/data/parquet_source.h"

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <parquet/column_reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/types.h>

#include "core/base/error.h"
#include "core/data/byte_source.h"

namespace hyscale::data {
namespace {

std::string names_of_columns(const parquet::SchemaDescriptor& schema) {
  constexpr int kShown = 20;
  std::string names;
  for (int i = 0; i < std::min(schema.num_columns(), kShown); ++i)
    names += (i > 0 ? ", " : "") + schema.Column(i)->path()->ToDotString();
  return names + (schema.num_columns() > kShown ? ", …" : "");
}

// Writers of old left strings unmarked, as plain bytes.
bool holds_strings(const parquet::ColumnDescriptor& column) {
  const auto& type = column.logical_type();
  return column.physical_type() == parquet::Type::BYTE_ARRAY && column.max_repetition_level() == 0 &&
         (!type || type->is_none() || type->is_string() || type->is_JSON());
}

parquet::ReaderProperties in_pages() {
  auto properties = parquet::default_reader_properties();
  properties.enable_buffered_stream();  // else a row group's whole column is read at once
  properties.set_page_checksum_verification(true);
  return properties;
}

class ParquetColumn final : public StringColumn {
 public:
  ParquetColumn(const std::string& path, const std::string& name, int64_t skip) : path_(path), name_(name) {
    open_byte_source(path);  // refuses a file that may not be read
    size_ = static_cast<int64_t>(std::filesystem::file_size(path));
    guarded([&] {
      file_ = parquet::ParquetFileReader::OpenFile(path, /*memory_map=*/false, in_pages());
      rows_ = file_->metadata()->num_rows();
    });
    guarded([&] { find_column(); });
    guarded([&] { skip_rows(skip); });
  }

  bool next(std::string& text) override {
    bool more = false;
    guarded([&] {
      more = at_ < levels_ || refill();
      if (!more) return;
      const bool null = highest_ > 0 && defined_[at_] < highest_;
      ++at_;
      ++row_;
      if (null) return text.clear();
      const parquet::ByteArray& value = values_[value_++];
      text.assign(reinterpret_cast<const char*>(value.ptr), value.len);
    });
    return more;
  }
  int64_t row() const override { return row_; }
  int64_t consumed() const override {
    const double share = rows_ == 0 ? 1.0 : static_cast<double>(row_) / static_cast<double>(rows_);
    return static_cast<int64_t>(share * static_cast<double>(size_));
  }

 private:
  // Whatever the library throws means that the file is bad from here on.
  template <class Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& e) {
      damaged(e.what());
    }
  }
  [[noreturn]] void damaged(const std::string& what) const {
    const Location place = file_ ? Location{path_, static_cast<int>(row_ + 1), 1} : Location{path_};
    throw DamagedFile(
        {.what = "not a whole Parquet file: " + what, .remedy = "fetch or write the file again", .at = place});
  }

  void find_column() {
    const auto& schema = *file_->metadata()->schema();
    index_ = schema.ColumnIndex(name_);
    const bool is_group = index_ < 0 && schema.group_node()->FieldIndex(name_) >= 0;
    if (index_ < 0 && !is_group)
      throw ConfigError({.what = fmt::format("no column \"{}\"", name_),
                         .remedy = fmt::format("name the column that holds the text with --field: the file has {}",
                                               names_of_columns(schema)),
                         .at = {path_}});
    if (is_group || !holds_strings(*schema.Column(index_)))
      throw ConfigError({.what = fmt::format("column \"{}\" holds no strings", name_),
                         .remedy = fmt::format("name the column that holds the text with --field: the file has {}",
                                               names_of_columns(schema)),
                         .at = {path_}});
    highest_ = schema.Column(index_)->max_definition_level();
  }

  void open_group() {
    const auto group = file_->RowGroup(group_++);
    left_ = group->metadata()->num_rows();
    column_ = std::static_pointer_cast<parquet::ByteArrayReader>(group->Column(index_));
  }

  void skip_rows(int64_t count) {
    while (row_ < count && group_ < file_->metadata()->num_row_groups()) {
      const int64_t rows = file_->metadata()->RowGroup(group_)->num_rows();
      if (count - row_ >= rows) {
        ++group_;
        row_ += rows;
        continue;
      }
      open_group();
      const int64_t skipped = column_->Skip(count - row_);
      row_ += skipped;
      left_ -= skipped;
      if (row_ < count) damaged("its column has fewer rows than the file says");
    }
  }

  // The next rows of the page; their bytes stay where they are until the call after.
  bool refill() {
    while (left_ == 0) {
      if (group_ == file_->metadata()->num_row_groups()) return false;
      open_group();
    }
    if (!column_->HasNext()) damaged("its column has fewer rows than the file says");
    int64_t values = 0;
    const int64_t levels = column_->ReadBatch(std::min(left_, static_cast<int64_t>(values_.size())), defined_.data(),
                                              nullptr, values_.data(), &values);
    if (levels <= 0) damaged("a page ends before its rows do");
    levels_ = static_cast<size_t>(levels);
    at_ = value_ = 0;
    left_ -= levels;
    return true;
  }

  std::string path_, name_;
  int64_t size_ = 0, rows_ = 0, row_ = 0;
  std::unique_ptr<parquet::ParquetFileReader> file_;
  std::shared_ptr<parquet::ByteArrayReader> column_;
  int index_ = 0, group_ = 0;  // of the column, and of the row group behind the one that is read
  int16_t highest_ = 0;        // definition level of a value; anything below is null
  int64_t left_ = 0;           // rows of the row group that have not been asked for
  std::array<int16_t, 256> defined_{};
  std::array<parquet::ByteArray, 256> values_{};
  size_t levels_ = 0, at_ = 0, value_ = 0;
};

}  // namespace

bool reads_parquet() { return true; }

std::unique_ptr<StringColumn> open_parquet(const std::string& path, const std::string& name, int64_t skip) {
  return std::make_unique<ParquetColumn>(path, name, skip);
}

}  // namespace hyscale::data
