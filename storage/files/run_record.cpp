#include <fmt/format.h>

#include "core/base/error.h"
#include "storage/files/hdf5_file.h"
#include "storage/files/run_directory.h"

namespace hyscale::storage {
namespace {

constexpr const char* kFormat = "hyscale.curve/1";
const std::string kProvenance = "provenance.";

template <class T, class Row>
void write_column(Hdf5Writer& file, const std::string& name, const std::vector<Row>& rows, T Row::*field) {
  std::vector<T> column;
  column.reserve(rows.size());
  for (const Row& row : rows) column.push_back(row.*field);
  file.array(name, {static_cast<int64_t>(rows.size())}, std::span<const T>(column));
}

template <class T, class Row>
void read_column(const Hdf5Reader& file, const std::string& name, std::vector<Row>& rows, T Row::*field) {
  std::vector<T> column(rows.size());
  file.read(name, std::span<T>(column));
  for (size_t i = 0; i < rows.size(); ++i) rows[i].*field = column[i];
}

}  // namespace

void write_run_record(const std::string& path, const RunRecord& record) {
  Hdf5Writer file;
  file.attribute("format", kFormat);
  file.attribute("run_id", record.run_id);
  if (!record.evals.empty()) {
    file.attribute("validation_loss", fmt::format("{}", record.evals.back().loss));
    file.attribute("bits_per_byte", fmt::format("{}", record.evals.back().bits_per_byte));
    file.attribute("standard_error", fmt::format("{}", record.evals.back().standard_error));
  }
  for (const auto& [name, value] : record.provenance) file.attribute(kProvenance + name, value);
  file.text("/run_yaml", record.run_yaml);
  write_column(file, "/steps/step", record.steps, &StepRow::step);
  write_column(file, "/steps/tokens", record.steps, &StepRow::tokens);
  write_column(file, "/steps/loss", record.steps, &StepRow::loss);
  write_column(file, "/steps/lr", record.steps, &StepRow::lr);
  write_column(file, "/steps/grad_norm", record.steps, &StepRow::grad_norm);
  write_column(file, "/steps/seconds", record.steps, &StepRow::seconds);
  write_column(file, "/evals/step", record.evals, &EvalRow::step);
  write_column(file, "/evals/tokens", record.evals, &EvalRow::tokens);
  write_column(file, "/evals/loss", record.evals, &EvalRow::loss);
  write_column(file, "/evals/bits_per_byte", record.evals, &EvalRow::bits_per_byte);
  write_column(file, "/evals/standard_error", record.evals, &EvalRow::standard_error);
  file.save(path);
}

RunRecord read_run_record(const std::string& path) {
  const Hdf5Reader file(path);
  if (file.attribute("format") != kFormat)
    throw DamagedFile({.what = fmt::format("{} is no curve: its format is '{}'", path, file.attribute("format"))});
  RunRecord record;
  record.run_id = file.attribute("run_id");
  record.run_yaml = file.text("/run_yaml");
  for (const std::string& name : file.attribute_names())
    if (name.starts_with(kProvenance)) record.provenance[name.substr(kProvenance.size())] = file.attribute(name);
  record.steps.resize(static_cast<size_t>(file.info("/steps/step").count()));
  read_column(file, "/steps/step", record.steps, &StepRow::step);
  read_column(file, "/steps/tokens", record.steps, &StepRow::tokens);
  read_column(file, "/steps/loss", record.steps, &StepRow::loss);
  read_column(file, "/steps/lr", record.steps, &StepRow::lr);
  read_column(file, "/steps/grad_norm", record.steps, &StepRow::grad_norm);
  read_column(file, "/steps/seconds", record.steps, &StepRow::seconds);
  record.evals.resize(static_cast<size_t>(file.info("/evals/step").count()));
  read_column(file, "/evals/step", record.evals, &EvalRow::step);
  read_column(file, "/evals/tokens", record.evals, &EvalRow::tokens);
  read_column(file, "/evals/loss", record.evals, &EvalRow::loss);
  read_column(file, "/evals/bits_per_byte", record.evals, &EvalRow::bits_per_byte);
  read_column(file, "/evals/standard_error", record.evals, &EvalRow::standard_error);
  return record;
}

}  // namespace hyscale::storage
