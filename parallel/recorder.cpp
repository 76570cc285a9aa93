#include "parallel/recorder.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/process.h"

namespace hyscale::parallel {
namespace {

constexpr double kStatusSeconds = 1.0;
constexpr double kLineSeconds = 0.1;
constexpr double kSmoothing = 0.05;  // weight of the newest step in the smoothed step time

template <class Row>
std::vector<Row> rows_after(const std::vector<Row>& rows, int64_t step) {
  std::vector<Row> later;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(later), [&](const Row& row) { return row.step > step; });
  return later;
}

/// Of an EvalRow or a CorpusLoss.
template <class Loss>
std::string loss_text(const Loss& row) {
  return fmt::format("{:.5f} ± {:.5f} nats per token, {}", row.loss, row.standard_error,
                     std::isfinite(row.bits_per_byte) ? fmt::format("{:.4f} bits per byte", row.bits_per_byte)
                                                      : "bits per byte unknown without the tokenizer");
}

}  // namespace

Recorder::Recorder(RecorderPlan plan, storage::Curve before, int64_t from, bool copy_rows, const Clock& clock)
    : plan_(std::move(plan)),
      clock_(clock),
      journal_(plan_.directory.journal()),
      curve_(std::move(before)),
      from_(from) {
  log_ = std::fopen(plan_.directory.log().c_str(), "ae");
  if (log_ == nullptr) throw IoError({.what = "cannot write " + plan_.directory.log()});
  if (copy_rows) {
    journal_.begin_attempt(0, 0);
    for (const auto& row : curve_.steps) journal_.add(row);
    for (const auto& row : curve_.evals) journal_.add(row);
  }
  journal_.begin_attempt(plan_.attempt, from);
  journal_.flush();
  status_ = {.run_id = plan_.run_id,
             .attempt = plan_.attempt,
             .step = from,
             .steps = plan_.steps,
             .tokens = from * plan_.batch_tokens,
             .loss = curve_.steps.empty() ? 0.0 : curve_.steps.back().loss,
             .started = plan_.started,
             .busy_seconds = curve_.busy_seconds,
             .host = host_name(),
             .pid = ::getpid(),
             .message = {}};
  write_status();
}
Recorder::~Recorder() { std::fclose(log_); }

void Recorder::add(const storage::StepRow& row, std::optional<double> waited) {
  waits_ = waited.has_value();
  since_line_.seconds += row.seconds;
  since_line_.waited += waited.value_or(0);
  journal_.add(row);
  curve_.steps.push_back(row);
  status_.step = row.step;
  status_.tokens = row.tokens;
  status_.loss = row.loss;
  status_.busy_seconds += row.seconds;
  seconds_per_step_ =
      seconds_per_step_ == 0 ? row.seconds : seconds_per_step_ + kSmoothing * (row.seconds - seconds_per_step_);
  if (seconds_per_step_ > 0) status_.tokens_per_second = static_cast<double>(plan_.batch_tokens) / seconds_per_step_;
  status_.eta_seconds = seconds_per_step_ * static_cast<double>(plan_.steps - row.step);
  if (row.step % plan_.log_every == 0 || row.step == plan_.steps) {
    say(progress());
    since_line_ = {};
    journal_.flush();
  }
  alive("");
}

void Recorder::add(const storage::EvalRow& row) {
  journal_.add(row);
  curve_.evals.push_back(row);
  say(fmt::format("step {}: validation loss {}", row.step, loss_text(row)));
  for (const storage::CorpusLoss& part : row.corpora)
    say(fmt::format("step {}: validation loss of {}: {}", row.step, part.corpus, loss_text(part)));
  journal_.flush();
}

bool Recorder::has_evaluation(int64_t step) const {
  return !curve_.evals.empty() && curve_.evals.back().step == step;  // asked for the newest step only
}

void Recorder::alive(const std::string& doing) {
  const double now = clock_.steady_seconds();
  if (now >= next_status_) {
    peak_memory(peak_memory_bytes());
    write_status();
  }
  if (line_.visible() && now >= next_line_) {
    line_.show(doing.empty() ? progress() : doing);
    next_line_ = now + kLineSeconds;
  }
}

std::string Recorder::progress() const {
  const double gflops = plan_.flops_per_token * status_.tokens_per_second * 1e-9;
  const std::string speed = plan_.peak_gflops > 0 ? fmt::format("MFU {:.1f}%", 100 * gflops / plan_.peak_gflops)
                                                  : fmt::format("{:.1f} GFLOP/s", gflops);
  const std::string exposed =
      waits_ && since_line_.seconds > 0
          ? fmt::format("exposed communication {:.1f}%  ", 100 * since_line_.waited / since_line_.seconds)
          : "";
  return fmt::format("step {}/{}  loss {:.4f}  {:.0f} tokens/s  {}  {}ETA {}", status_.step, plan_.steps, status_.loss,
                     status_.tokens_per_second, speed, exposed, format_duration(status_.eta_seconds));
}

// Of this attempt alone; its rows may follow those of earlier ones.
std::string Recorder::summary() const {
  const int64_t steps = status_.step - from_;
  double seconds = 0;
  for (auto row = curve_.steps.rbegin(); row != curve_.steps.rend() && row->step > from_; ++row)
    seconds += row->seconds;
  const double tokens = static_cast<double>(steps * plan_.batch_tokens);
  const double rate = seconds > 0 ? tokens / seconds : 0;
  std::string text =
      fmt::format("{} steps in {}: {:.0f} tokens/s, {:.1f} GFLOP/s, peak memory {:.1f} MiB{}", steps,
                  format_duration(seconds), rate, rate * plan_.flops_per_token * 1e-9,
                  static_cast<double>(status_.peak_memory_bytes) / (1024.0 * 1024.0), plan_.ranks > 1 ? " a rank" : "");
  if (checkpoints_ > 0) {
    const double each = checkpoint_seconds_ / static_cast<double>(checkpoints_);
    text += fmt::format("; {} checkpoints, for each of which training waited {:.1f} ms, {:.1f} % of a step",
                        checkpoints_, each * 1e3, each / (seconds / static_cast<double>(steps)) * 100);
  }
  return text;
}

void Recorder::peak_memory(int64_t bytes) { status_.peak_memory_bytes = std::max(status_.peak_memory_bytes, bytes); }

void Recorder::say(const std::string& text) {
  std::fprintf(log_, "%s %s\n", format_utc(clock_.unix_seconds()).c_str(), text.c_str());
  std::fflush(log_);
  line_.clear();
  log::info(text);
}

void Recorder::write_status() {
  status_.heartbeat = clock_.unix_seconds();
  storage::write_status(plan_.directory, status_);
  next_status_ = clock_.steady_seconds() + kStatusSeconds;
}

storage::RunRecord Recorder::record(std::vector<storage::StepRow> steps, std::vector<storage::EvalRow> evals) const {
  storage::RunRecord record{.run_id = plan_.run_id,
                            .run_yaml = plan_.run_yaml,
                            .steps = std::move(steps),
                            .evals = std::move(evals),
                            .provenance = plan_.execution.provenance};
  for (const auto& [name, value] : plan_.execution.settings) record.provenance[name] = value;
  record.provenance["peak_memory_bytes"] = std::to_string(status_.peak_memory_bytes);
  return record;
}

void Recorder::finish(storage::WorkerState state, int exit_code, const std::string& message) {
  status_.state = state;
  status_.exit_code = exit_code;
  status_.message = message;
  if (state == storage::WorkerState::done) status_.eta_seconds = 0;
  peak_memory(peak_memory_bytes());
  try {
    journal_.sync();
    write_run_record(plan_.directory.attempt(plan_.attempt),
                     record(rows_after(curve_.steps, from_), rows_after(curve_.evals, from_)));
    if (state == storage::WorkerState::done)
      write_run_record(plan_.directory.run_h5(), record(curve_.steps, curve_.evals));
    if (status_.step > from_) say(summary());
    if (!message.empty()) say(message);
    write_status();
  } catch (const Error&) {
    if (state != storage::WorkerState::failed) throw;
    try {
      write_status();
    } catch (const Error&) {  // of several errors the first is the one to report
    }
  }
}

}  // namespace hyscale::parallel
