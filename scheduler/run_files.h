#pragma once

#include <optional>
#include <string>

#include "storage/db/rows.h"
#include "storage/files/run_directory.h"

namespace hyscale::scheduler {

/// What run directories say. An interface, so that the reconcile loop can be tested against a model.
class RunFiles {
 public:
  virtual ~RunFiles() = default;
  /// The final record, when it is there and validates. `problem` says what is wrong with one that does not.
  virtual std::optional<storage::RunResult> result(const std::string& run_id, std::string& problem) const = 0;
  /// The worker's last word; nullopt when there is none that can be read.
  virtual std::optional<storage::RunStatus> status(const std::string& run_id) const = 0;
  /// Path of the checkpoint after `step` steps, when it is complete.
  virtual std::optional<std::string> checkpoint(const std::string& run_id, int64_t step) const = 0;
  /// Where that checkpoint is, or will be.
  virtual std::string checkpoint_path(const std::string& run_id, int64_t step) const = 0;
  /// Whether a worker has begun there: the next one has to resume.
  virtual bool has_begun(const std::string& run_id) const = 0;
  virtual bool has_any_checkpoint(const std::string& run_id) const = 0;
  /// The micro-batch the last attempt used, in sequences; 0 when unknown.
  virtual int64_t micro_batch(const std::string& run_id) const = 0;
  virtual void ask_to_stop(const std::string& run_id, int attempt) const = 0;  // puts the `stop` file there
  virtual void clear_stop(const std::string& run_id) const = 0;
};

/// Those of a store.
class StoreRunFiles : public RunFiles {
 public:
  explicit StoreRunFiles(std::string store) : store_(std::move(store)) {}
  std::optional<storage::RunResult> result(const std::string& run_id, std::string& problem) const override;
  std::optional<storage::RunStatus> status(const std::string& run_id) const override;
  std::optional<std::string> checkpoint(const std::string& run_id, int64_t step) const override;
  std::string checkpoint_path(const std::string& run_id, int64_t step) const override;
  bool has_begun(const std::string& run_id) const override;
  bool has_any_checkpoint(const std::string& run_id) const override;
  int64_t micro_batch(const std::string& run_id) const override;
  void ask_to_stop(const std::string& run_id, int attempt) const override;
  void clear_stop(const std::string& run_id) const override;
  bool asked_to_stop(const std::string& run_id, int attempt) const;

 private:
  storage::RunDirectory directory(const std::string& run_id) const { return {store_ + "/runs/" + run_id}; }
  std::string store_;
};

}  // namespace hyscale::scheduler
