#include <cmath>
#include <fmt/format.h>
#include <sstream>
#include <utility>

#include "core/base/error.h"
#include "storage/files/hdf5_file.h"
#include "storage/files/run_directory.h"

namespace hyscale::storage {
namespace {

constexpr const char* kFormat = "hyscale.curve/1";
const std::string kProvenance = "provenance.";
constexpr std::pair<const char*, double CorpusLoss::*> kCorpusColumns[] = {
    {"/evals/corpus_loss", &CorpusLoss::loss},
    {"/evals/corpus_bits_per_byte", &CorpusLoss::bits_per_byte},
    {"/evals/corpus_standard_error", &CorpusLoss::standard_error}};

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

/// [evaluations, corpora] of each figure, and the corpora's names, one a line.
void write_corpora(Hdf5Writer& file, const std::vector<EvalRow>& evals) {
  if (evals.empty() || evals.back().corpora.empty()) return;
  const std::vector<CorpusLoss>& last = evals.back().corpora;
  std::string names;
  for (const CorpusLoss& part : last) names += part.corpus + "\n";
  file.text("/evals/corpora", names);
  for (const auto& [name, field] : kCorpusColumns) {
    std::vector<double> column;
    for (const EvalRow& row : evals)
      for (size_t i = 0; i < last.size(); ++i)
        column.push_back(i < row.corpora.size() ? row.corpora[i].*field : std::nan(""));
    file.array(name, {static_cast<int64_t>(evals.size()), static_cast<int64_t>(last.size())},
               std::span<const double>(column));
  }
}

void read_corpora(const Hdf5Reader& file, std::vector<EvalRow>& evals) {
  if (!file.has("/evals/corpora")) return;
  std::istringstream names(file.text("/evals/corpora"));
  std::vector<CorpusLoss> corpora;
  for (std::string name; std::getline(names, name);) corpora.push_back({.corpus = name});
  for (EvalRow& row : evals) row.corpora = corpora;
  for (const auto& [name, field] : kCorpusColumns) {
    std::vector<double> column(evals.size() * corpora.size());
    file.read(name, std::span<double>(column));
    for (size_t i = 0; i < column.size(); ++i) evals[i / corpora.size()].corpora[i % corpora.size()].*field = column[i];
  }
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
  write_corpora(file, record.evals);
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
  read_corpora(file, record.evals);
  return record;
}

}  // namespace hyscale::storage
