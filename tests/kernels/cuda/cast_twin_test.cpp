#include "core/kernels/cast.h"
#include "tests/kernels/cuda/twin.h"

namespace hyscale::tests {
namespace {

struct CastCase {
  int64_t count;
  Holds from, to;
  DType dtype = DType::bf16;
  std::string name() const {
    const auto of = [&](Holds holds) { return std::string(holds == Holds::wide ? "f32" : name_of(dtype)); };
    return of(from) + "_to_" + of(to) + "_of_" + std::to_string(count);
  }
};

std::vector<CastCase> cases() {
  std::vector<CastCase> all;
  for (const int64_t count : {0, 1, 7, 129, 2048, 100003})
    for (const Holds from : {Holds::activations, Holds::wide})
      for (const Holds to : {Holds::activations, Holds::wide}) all.push_back({.count = count, .from = from, .to = to});
  return all;
}

using CastTwin = TwinTestOver<CastCase>;

TEST_P(CastTwin, GivesTheNearestValue) {
  const CastCase& c = GetParam();
  Twin twin(c.dtype);
  const auto x = twin.input("x", {c.count}, {.holds = c.from});
  const auto out = twin.output("out", {c.count}, {.holds = c.to});
  twin.run([&](const Side& s) { kernels::cast({.out = s(out), .x = s(x)}, s.exec()); });
  twin.expect_close({.bf16 = c.from == Holds::wide && c.to == Holds::activations ? 3e-3 : 0, .worst = 2});
}

TEST_P(CastTwin, BeginsAtAnyEntry) {
  const CastCase& c = GetParam();
  Twin twin(c.dtype);
  const auto x = twin.input("x", {c.count + 3}, {.holds = c.from});
  const auto out = twin.updated("out", {c.count + 1}, {.holds = c.to});
  twin.run([&](const Side& s) {
    kernels::cast({.out = s(out).slice(0, 1, c.count), .x = s(x).slice(0, 3, c.count)}, s.exec());
  });
  twin.expect_close({.f32 = 0, .bf16 = c.from == Holds::wide && c.to == Holds::activations ? 3e-3 : 0, .worst = 2});
}

INSTANTIATE_TEST_SUITE_P(Counts, CastTwin, testing::ValuesIn(cases()), named);

}  // namespace
}  // namespace hyscale::tests
