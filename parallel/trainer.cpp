#include "parallel/trainer.h"

#include <array>
#include <cmath>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/process.h"
#include "core/base/program.h"
#include "core/optim/adamw.h"
#include "parallel/mesh.h"
#include "parallel/validation.h"

namespace hyscale::parallel {

constexpr double kCheckpointSeconds = 600;

Trainer::Trainer(const RunIdentity& identity, const data::Mixture& data, TrainState& state, CheckpointWriter& writer,
                 const Groups& groups, const storage::RunDirectory& run, TrainerPlan plan, Recorder* recorder,
                 StopRequest& stop, const Clock& clock)
    : identity_(identity),
      data_(data),
      state_(state),
      writer_(writer),
      groups_(groups),
      run_(run),
      plan_(std::move(plan)),
      recorder_(recorder),
      stop_(stop),
      clock_(clock),
      batches_(data.plan(identity.config.model.context, batch_sequences(identity.config), identity.config.data.seed)),
      buffer_(plan_.micro_batch, identity.config.model.context, !identity.config.data.cross_document),
      next_checkpoint_(clock.steady_seconds() + kCheckpointSeconds) {}

StopReason Trainer::run(int64_t step, bool checkpoint_first) {
  if (recorder_ != nullptr)
    for (const std::string& line : data_.describe(batches_)) recorder_->say(line);
  step_ = step;
  saved_ = checkpoint_first || step == 0 ? -1 : step;
  if (checkpoint_first) checkpoint();
  const StopReason reason = steps();
  writer_.wait();
  if (recorder_ != nullptr) recorder_->checkpoints(writer_.started(), writer_.waited());
  return reason;
}

StopReason Trainer::steps() {
  while (true) {
    writer_.check();
    const Due due = agree();
    if (due.checkpoint && saved_ != step_) checkpoint();
    if (due.evaluate) evaluate();
    if (step_ == identity_.config.train.steps()) return StopReason::none;
    if (due.stop != StopReason::none) return due.stop;
    train_step();
  }
}

bool Trainer::checkpoint_due() const {
  if (step_ == 0) return false;
  if (step_ == identity_.config.train.steps() || plan_.pinned.contains(step_)) return true;
  if (plan_.checkpoint_every > 0) return step_ % plan_.checkpoint_every == 0;
  return clock_.steady_seconds() >= next_checkpoint_;
}

Trainer::Due Trainer::agree() {
  const bool last = step_ == identity_.config.train.steps();
  const bool evaluate = recorder_ != nullptr && !recorder_->has_evaluation(step_) &&
                        (last || (plan_.eval_every > 0 && step_ > 0 && step_ % plan_.eval_every == 0));
  std::array<int64_t, 3> votes{static_cast<int64_t>(stop_.asked()), recorder_ != nullptr && checkpoint_due() ? 1 : 0,
                               evaluate ? 1 : 0};
  groups_.world.all_reduce_max(votes);
  const auto stop = static_cast<StopReason>(votes[0]);
  return {.stop = stop, .checkpoint = votes[1] != 0 || stop != StopReason::none, .evaluate = votes[2] != 0};
}

template <class F>
void Trainer::for_each_micro_batch(F&& visit) {
  const int64_t sequences = batch_sequences(identity_.config) / groups_.data.size(),
                first = sequences * groups_.data.rank();
  const double scale = 1.0 / static_cast<double>(identity_.config.train.batch_tokens);
  for (int64_t row = 0; row < sequences; row += plan_.micro_batch) {
    const int64_t rows = std::min(plan_.micro_batch, sequences - row);
    const model::TokenBatch batch = buffer_.first(rows);
    data::fill_batch(data_.corpora(), batches_, step_, first + row, batch.inputs, batch.targets, batch.document_begins);
    visit(batch, scale, row + rows == sequences);
  }
}

// The weights are still those that the step began with. The ranks that share the model go through each micro-batch
// together, so they stop looking together.
std::string Trainer::find_nonfinite() {
  std::string found;
  for_each_micro_batch([&](const model::TokenBatch& batch, double scale, bool) {
    std::array<int64_t, 1> done{found.empty() ? 0 : 1};
    groups_.tensor.all_reduce_max(done);
    if (done[0] != 0) return;
    found = state_.model().find_nonfinite(batch, scale);
  });
  return found;
}

void Trainer::train_step() {
  const double begin = clock_.steady_seconds(), waited = groups_.waits != nullptr ? groups_.waits->seconds : 0;
  const spec::TrainConfig& train = identity_.config.train;
  storage::StepRow row;
  row.step = step_ + 1;
  row.tokens = row.step * train.batch_tokens;
  row.lr = optim::learning_rate(train, step_ * train.batch_tokens);
  for_each_micro_batch(
      [&](const model::TokenBatch& batch, double scale, bool last) { state_.accumulate(batch, scale, last); });
  const TrainState::StepResult result = state_.finish_step(row.step, row.lr);
  row.loss = result.nll / static_cast<double>(train.batch_tokens);
  row.grad_norm = result.gradient_norm;
  row.seconds = clock_.steady_seconds() - begin;
  if (recorder_ != nullptr)
    recorder_->add(row, groups_.waits != nullptr ? std::optional(groups_.waits->seconds - waited) : std::nullopt);
  if (!std::isfinite(row.loss) || !std::isfinite(row.grad_norm)) {
    const std::string where = find_nonfinite();
    throw DivergedError({.what = fmt::format("diverged at step {}: the loss is {}, the gradient norm {}", row.step,
                                             row.loss, row.grad_norm),
                         .why = where.empty() ? "" : "the first value that is not finite is in " + where,
                         .remedy = "try a lower learning rate or a longer warm-up"});
  }
  step_ = row.step;
}

void Trainer::checkpoint() {
  if (recorder_ != nullptr) {
    recorder_->alive(fmt::format("step {}: writing a checkpoint", step_));
    recorder_->flush();
  }
  const storage::CheckpointInfo info{.run_id = identity_.run_id,
                                     .run_yaml = identity_.yaml,
                                     .step = step_,
                                     .tokens = step_ * identity_.config.train.batch_tokens,
                                     .notes = {{"commit", build_commit()}, {"host", host_name()}}};
  writer_.start(storage::checkpoint_path(run_, step_), info,
                {.before = [this] { sync_file(run_.journal()); },  // no checkpoint is older than its rows
                 .after = [this] { storage::remove_old_checkpoints(run_, plan_.keep); }});
  saved_ = step_;
  next_checkpoint_ = clock_.steady_seconds() + kCheckpointSeconds;
}

void Trainer::evaluate() {
  const auto alive = [this] {
    if (recorder_ != nullptr) recorder_->alive(fmt::format("step {}: validating", step_));
  };
  const ValidationPlan validation_plan{.context = identity_.config.model.context,
                                       .micro_batch = plan_.micro_batch,
                                       .documents_apart = !identity_.config.data.cross_document};
  storage::EvalRow row = validate(state_.model(), data_, validation_plan, groups_.data, alive);
  row.step = step_;
  row.tokens = step_ * identity_.config.train.batch_tokens;
  if (recorder_ == nullptr) return;
  recorder_->add(row);
  recorder_->say(fmt::format("step {}: {}", step_, data_.epochs_text(batches_.epochs(step_))));
}

}  // namespace hyscale::parallel
