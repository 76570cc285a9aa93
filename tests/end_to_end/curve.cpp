// curve RUN.h5: every row of a run's record but for its wall times, to the bit; fails when a step lacks or stands
// twice.

#include <cstdio>
#include <fmt/format.h>

#include "core/base/error.h"
#include "storage/files/run_directory.h"

int main(int count, char** arguments) {
  if (count != 2) return std::fputs("curve RUN.h5\n", stderr), 2;
  try {
    const auto record = hyscale::storage::read_run_record(arguments[1]);
    int64_t wanted = 1;
    for (const auto& row : record.steps) {
      if (row.step != wanted++) return fmt::print(stderr, "step {} stands where {} should\n", row.step, wanted - 1), 1;
      fmt::print("{} {} {:a} {:a} {:a}\n", row.step, row.tokens, row.loss, row.lr, row.grad_norm);
    }
    for (const auto& eval : record.evals) fmt::print("eval {} {} {:a}\n", eval.step, eval.tokens, eval.loss);
    return 0;
  } catch (const hyscale::Error& error) {
    return fmt::print(stderr, "{}\n", error.what()), 1;
  }
}
