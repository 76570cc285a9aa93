#pragma once

namespace hyscale {

/// What a program's exit status tells the scheduler that started it.
enum class ExitCode : int {
  done = 0,
  failed = 1,         // study, analyze: something asked for failed; worker: a fault
  bad_input = 2,      // configuration or command line: never retry
  out_of_memory = 3,  // retry with a smaller micro-batch
  diverged = 4,       // final: loss is not finite; analysis is told, nobody retries
  requeue = 75,       // checkpointed on request; run me again
};

}  // namespace hyscale
