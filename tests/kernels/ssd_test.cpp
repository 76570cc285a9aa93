#include "core/kernels/ssd.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/documents.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace hyscale::kernels {
namespace {

using tests::copy_values;
using tests::dot;
using tests::expect_gradient_matches;
using tests::filled_tensor;
using tests::random_tensor;
using tests::relative_difference;
using tests::values_of;

/// One scan with its memory. x, b and c are windows on one wider row, as in a mixer.
struct Case {
  SsdShape shape;
  DType dtype = DType::f64;
  OwnedTensor rows, dt_raw, dt_bias, a_log, d, initial;
  OwnedTensor y, final_state;
  OwnedTensor documents;  // begins; empty: one a sequence
  Arena arena;
  Exec exec{Device::cpu, &arena};

  Case(const SsdShape& s, DType type, bool with_initial = false, double dt_mean = 0)
      : shape(s),
        dtype(type),
        rows(random_tensor(type, {s.tokens(), width() + 3}, 1)),
        dt_raw(random_tensor(type, {s.tokens(), s.heads}, 2, dt_mean - 2, dt_mean + 1)),
        dt_bias(random_tensor(type, {s.heads}, 3)),
        a_log(random_tensor(type, {s.heads}, 4, -3, 1)),
        d(random_tensor(type, {s.heads}, 5)),
        y(filled_tensor(type, {s.tokens(), s.heads * s.head_dim}, NAN)),
        final_state(filled_tensor(type, {s.sequences, s.heads, s.d_state, s.head_dim}, NAN)) {
    if (with_initial) initial = random_tensor(type, {s.sequences, s.heads, s.d_state, s.head_dim}, 6);
  }
  int64_t width() const { return shape.heads * shape.head_dim + 2 * shape.groups * shape.d_state; }
  Tensor window(const Tensor& wide, int part) const {
    const int64_t inner = shape.heads * shape.head_dim, of_groups = shape.groups * shape.d_state;
    return part == 0 ? wide.slice(1, 0, inner) : wide.slice(1, inner + (part - 1) * of_groups, of_groups);
  }
  SsdInputs inputs() const {
    return {window(rows, 0), window(rows, 1), window(rows, 2), dt_raw, dt_bias, a_log, d, initial, documents};
  }
  SsdSaved forward() { return ssd_forward(shape, inputs(), y, final_state, exec); }
  void recurrence() { ssd_recurrence(shape, inputs(), y, final_state); }
};

/// Gradients of one backward pass over a dy that is 1 at random.
struct Gradients {
  OwnedTensor rows, dt_raw, dt_bias, a_log, d;
  explicit Gradients(const Case& c)
      : rows(filled_tensor(c.dtype, c.rows.tensor().shape(), NAN)),
        dt_raw(filled_tensor(c.dtype, c.dt_raw.tensor().shape(), NAN)),
        dt_bias(filled_tensor(c.dtype, {c.shape.heads}, 0)),
        a_log(filled_tensor(c.dtype, {c.shape.heads}, 0)),
        d(filled_tensor(c.dtype, {c.shape.heads}, 0)) {}
  SsdGradients windows(const Case& c) const {
    return {c.window(rows, 0), c.window(rows, 1), c.window(rows, 2), dt_raw, dt_bias, a_log, d};
  }
};

Gradients gradients_of(Case& c, const Tensor& dy) {
  Gradients gradients(c);
  const SsdSaved saved = c.forward();
  ssd_backward(c.shape, c.inputs(), saved, dy, gradients.windows(c), c.exec);
  return gradients;
}

std::vector<SsdShape> shapes() {
  return {{.sequences = 2, .length = 1, .heads = 2, .head_dim = 5, .groups = 1, .d_state = 3, .chunk = 8},
          {.sequences = 2, .length = 7, .heads = 4, .head_dim = 4, .groups = 2, .d_state = 5, .chunk = 3},
          {.sequences = 1, .length = 129, .heads = 2, .head_dim = 8, .groups = 1, .d_state = 16, .chunk = 64},
          {.sequences = 3, .length = 129, .heads = 6, .head_dim = 16, .groups = 2, .d_state = 9, .chunk = 128},
          {.sequences = 1, .length = 1000, .heads = 2, .head_dim = 13, .groups = 2, .d_state = 8, .chunk = 100},
          {.sequences = 2, .length = 70, .heads = 3, .head_dim = 6, .groups = 1, .d_state = 4, .chunk = 17}};
}

std::string name_of(const SsdShape& s) {
  return "length " + std::to_string(s.length) + ", chunk " + std::to_string(s.chunk) + ", head_dim " +
         std::to_string(s.head_dim) + ", d_state " + std::to_string(s.d_state) + ", groups " + std::to_string(s.groups);
}

TEST(Ssd, ChunkedScanEqualsTheStepRecurrenceInOutputAndFinalState) {
  for (const DType dtype : {DType::f64, DType::f32})
    for (const SsdShape& shape : shapes())
      for (const bool with_initial : {false, true}) {
        SCOPED_TRACE(name_of(shape));
        Case chunked(shape, dtype, with_initial), steps(shape, dtype, with_initial);
        chunked.forward();
        steps.recurrence();
        const double bound = dtype == DType::f64 ? 1e-13 : 2e-6;
        EXPECT_LT(relative_difference(chunked.y, steps.y), bound);
        EXPECT_LT(relative_difference(chunked.final_state, steps.final_state), bound);
      }
}

TEST(Ssd, TheChunkSizeDoesNotChangeTheResult) {
  SsdShape shape = shapes().back();
  Case reference(shape, DType::f64, true);
  reference.recurrence();
  for (const int64_t chunk : {1, 2, 8, 16, 31, 64, 70, 128}) {
    shape.chunk = chunk;
    Case c(shape, DType::f64, true);
    c.forward();
    EXPECT_LT(relative_difference(c.y, reference.y), 1e-13) << chunk;
  }
}

TEST(Ssd, GradientsMatchCentralDifferences) {
  for (const SsdShape& shape : shapes())
    for (const bool with_initial : {false, true}) {
      if (shape.length > 200 && with_initial) continue;  // the long case once is enough
      SCOPED_TRACE(name_of(shape));
      Case c(shape, DType::f64, with_initial);
      const OwnedTensor dy = random_tensor(DType::f64, c.y.tensor().shape(), 9);
      const Gradients g = gradients_of(c, dy);
      const auto loss = [&] {
        c.recurrence();
        return dot(c.y, dy);
      };
      const tests::GradientCheckOptions options{.step = 1e-5, .tolerance = 1e-7, .most = 25};
      for (int part = 0; part < 3; ++part)
        expect_gradient_matches(part == 0   ? "x"
                                : part == 1 ? "b"
                                            : "c",
                                c.window(c.rows, part), c.window(g.rows, part), loss, options);
      expect_gradient_matches("dt_raw", c.dt_raw, g.dt_raw, loss, options);
      expect_gradient_matches("dt_bias", c.dt_bias, g.dt_bias, loss, options);
      expect_gradient_matches("a_log", c.a_log, g.a_log, loss, options);
      expect_gradient_matches("d", c.d, g.d, loss, options);
    }
}

/// Documents that start at the chunk's edges, side by side, several in a chunk, and one longer than a chunk.
std::vector<std::vector<int64_t>> starts_of(const SsdShape& s) {
  auto all = tests::awkward_starts(s.length);
  if (s.length > s.chunk + 1) all.push_back({s.chunk - 1 > 0 ? s.chunk - 1 : 1, s.chunk, s.chunk + 1});
  return all;
}

TEST(Ssd, PackedDocumentsEqualEachDocumentAlone) {
  for (const SsdShape& shape : shapes())
    for (const auto& starts : starts_of(shape)) {
      SCOPED_TRACE(name_of(shape) + " " + ::testing::PrintToString(starts));
      Case packed(shape, DType::f64), steps(shape, DType::f64), alone(shape, DType::f64);
      packed.documents = tests::documents_at(shape.sequences, shape.length, starts);
      steps.documents = tests::documents_at(shape.sequences, shape.length, starts);
      packed.forward();
      steps.recurrence();
      const auto begins = packed.documents.tensor().view<int32_t, 2>();
      for (int64_t s = 0; s < shape.sequences; ++s)
        for (int64_t begin = 0, end; begin < shape.length; begin = end) {
          for (end = begin + 1; end < shape.length && begins(s, end) == begin;) ++end;
          SsdInputs in = alone.inputs();
          const auto part = [&](const Tensor& t) { return t.slice(0, s * shape.length + begin, end - begin); };
          for (Tensor* one : {&in.x, &in.b, &in.c, &in.dt_raw}) *one = part(*one);
          SsdShape own = shape;
          own.sequences = 1, own.length = end - begin;
          ssd_recurrence(own, in, part(alone.y), {});
        }
      EXPECT_LT(relative_difference(packed.y, alone.y), 1e-12);
      EXPECT_LT(relative_difference(steps.y, alone.y), 1e-12);
      EXPECT_LT(relative_difference(packed.final_state, steps.final_state), 1e-12);
    }
}

TEST(Ssd, GradientsOfPackedDocumentsMatchCentralDifferences) {
  for (const SsdShape& shape : shapes())
    for (const auto& starts : starts_of(shape)) {
      SCOPED_TRACE(name_of(shape) + " " + ::testing::PrintToString(starts));
      Case c(shape, DType::f64, shape.length < 100);
      c.documents = tests::documents_at(shape.sequences, shape.length, starts);
      const OwnedTensor dy = random_tensor(DType::f64, c.y.tensor().shape(), 9);
      const Gradients g = gradients_of(c, dy);
      const auto loss = [&] {
        c.recurrence();
        return dot(c.y, dy);
      };
      const tests::GradientCheckOptions options{.step = 1e-5,
                                                .tolerance = 1e-7,
                                                .most = shape.length > 500   ? 1
                                                        : shape.length > 100 ? 3
                                                                             : 20};
      for (int part = 0; part < 3; ++part)
        expect_gradient_matches("x, b or c", c.window(c.rows, part), c.window(g.rows, part), loss, options);
      expect_gradient_matches("dt_raw", c.dt_raw, g.dt_raw, loss, options);
      expect_gradient_matches("dt_bias", c.dt_bias, g.dt_bias, loss, options);
      expect_gradient_matches("a_log", c.a_log, g.a_log, loss, options);
      expect_gradient_matches("d", c.d, g.d, loss, options);
    }
}

TEST(Ssd, WithOneDocumentGivesTheBitsOfNone) {
  const SsdShape shape{.sequences = 2, .length = 70, .heads = 2, .head_dim = 8, .groups = 1, .d_state = 8, .chunk = 16};
  Case plain(shape, DType::f32), marked(shape, DType::f32);
  marked.documents = tests::documents_at(2, 70, {});
  plain.forward();
  marked.forward();
  EXPECT_EQ(values_of(plain.y), values_of(marked.y));
}

TEST(Ssd, SinglePrecisionGradientsStayCloseToDouble) {
  const SsdShape shape{
      .sequences = 2, .length = 300, .heads = 4, .head_dim = 16, .groups = 2, .d_state = 16, .chunk = 64};
  Case one(shape, DType::f32), two(shape, DType::f64);
  for (const auto& [from, to] : {std::pair{&one.rows, &two.rows},
                                 {&one.dt_raw, &two.dt_raw},
                                 {&one.dt_bias, &two.dt_bias},
                                 {&one.a_log, &two.a_log},
                                 {&one.d, &two.d}})
    copy_values(*from, *to);
  const OwnedTensor dy = random_tensor(DType::f32, one.y.tensor().shape(), 9);
  const OwnedTensor dy_double = filled_tensor(DType::f64, one.y.tensor().shape(), 0);
  copy_values(dy, dy_double);
  const Gradients a = gradients_of(one, dy), b = gradients_of(two, dy_double);
  EXPECT_LT(relative_difference(one.y, two.y), 2e-6);
  for (int part = 0; part < 3; ++part)
    EXPECT_LT(relative_difference(one.window(a.rows, part), two.window(b.rows, part)), 3e-6);
  EXPECT_LT(relative_difference(a.dt_raw, b.dt_raw), 3e-6);
  EXPECT_LT(relative_difference(a.a_log, b.a_log), 3e-6);
  EXPECT_LT(relative_difference(a.dt_bias, b.dt_bias), 3e-6);
  EXPECT_LT(relative_difference(a.d, b.d), 3e-6);
}

TEST(Ssd, ColumnsBehindTheHeadsOfItsGradientAreZero) {
  Case c(shapes()[1], DType::f64);
  const OwnedTensor dy = random_tensor(DType::f64, c.y.tensor().shape(), 9);
  const Gradients g = gradients_of(c, dy);
  const OwnedTensor wide = filled_tensor(DType::f64, {c.shape.tokens(), c.shape.heads + 3}, NAN);
  SsdGradients into = g.windows(c);
  into.dt_raw = wide;
  ssd_backward(c.shape, c.inputs(), c.forward(), dy, into, c.exec);
  EXPECT_EQ(values_of(wide.tensor().slice(1, 0, c.shape.heads)), values_of(g.dt_raw));
  EXPECT_THAT(values_of(wide.tensor().slice(1, c.shape.heads, 3)), ::testing::Each(0.0));
}

TEST(Ssd, NoTokenSeesALaterOne) {
  const SsdShape shape{.sequences = 1, .length = 40, .heads = 2, .head_dim = 4, .groups = 1, .d_state = 4, .chunk = 16};
  for (const int64_t t : {0, 1, 15, 16, 17, 39}) {
    Case before(shape, DType::f64), after(shape, DType::f64);
    for (int64_t i = 0; i < after.width(); ++i) after.rows.tensor().view<double, 2>()(t, i) += 1;
    after.dt_raw.tensor().view<double, 2>()(t, 0) += 1;
    before.forward();
    after.forward();
    const Tensor a = before.y, b = after.y;
    EXPECT_EQ(values_of(a.slice(0, 0, t)), values_of(b.slice(0, 0, t))) << t;
    EXPECT_NE(values_of(a.slice(0, t, 1)), values_of(b.slice(0, t, 1))) << t;
  }
}

TEST(Ssd, TwoHalvesWithTheStateCarriedEqualOneRun) {
  SsdShape shape{.sequences = 1, .length = 90, .heads = 2, .head_dim = 8, .groups = 1, .d_state = 8, .chunk = 16};
  Case whole(shape, DType::f64);
  whole.forward();
  const OwnedTensor y = filled_tensor(DType::f64, whole.y.tensor().shape(), NAN);
  const OwnedTensor state = filled_tensor(DType::f64, whole.final_state.tensor().shape(), 0);
  const auto part = [&](int64_t begin, int64_t count) {
    SsdInputs in = whole.inputs();
    for (Tensor* one : {&in.x, &in.b, &in.c, &in.dt_raw}) *one = one->slice(0, begin, count);
    in.initial_state = state;
    shape.length = count;
    ssd_forward(shape, in, y.tensor().slice(0, begin, count), state, whole.exec);
  };
  part(0, 37);
  part(37, 53);
  EXPECT_LT(relative_difference(y, whole.y), 1e-13);
  EXPECT_LT(relative_difference(state, whole.final_state), 1e-13);
}

TEST(Ssd, ResultsAreBitEqualForAnyNumberOfThreads) {
  const SsdShape shape{
      .sequences = 2, .length = 150, .heads = 6, .head_dim = 8, .groups = 2, .d_state = 16, .chunk = 32};
  std::vector<std::vector<double>> results;
  for (const int count : {1, 2, 3, 5}) {
    const tests::ThreadCount threads(count);
    Case c(shape, DType::f32);
    c.documents = tests::documents_at(2, 150, {5, 32, 33, 140});
    const OwnedTensor dy = random_tensor(DType::f32, c.y.tensor().shape(), 9);
    const Gradients g = gradients_of(c, dy);
    std::vector<double> all = values_of(c.y);
    for (const Tensor& one : {c.window(g.rows, 0), c.window(g.rows, 1), c.window(g.rows, 2), g.dt_raw.tensor(),
                              g.dt_bias.tensor(), g.a_log.tensor(), g.d.tensor()}) {
      const std::vector<double> values = values_of(one);
      all.insert(all.end(), values.begin(), values.end());
    }
    results.push_back(all);
  }
  for (size_t i = 1; i < results.size(); ++i) EXPECT_EQ(results[i], results[0]) << i;
}

TEST(Ssd, StrongAndVanishingDecayStayFiniteOverALongSequence) {
  const SsdShape shape{
      .sequences = 1, .length = 4096, .heads = 2, .head_dim = 8, .groups = 1, .d_state = 8, .chunk = 128};
  for (const double dt_mean : {-60.0, 0.0, 60.0, 300.0}) {
    Case c(shape, DType::f32, false, dt_mean);
    if (dt_mean <= 0) c.documents = tests::documents_at(1, 4096, {1, 2, 3, 127, 128, 1000, 4095});
    for (int64_t h = 0; h < shape.heads; ++h) c.a_log.tensor().as<float>()[h] = h == 0 ? 6.0F : -15.0F;
    const OwnedTensor dy = random_tensor(DType::f32, c.y.tensor().shape(), 9);
    const Gradients g = gradients_of(c, dy);
    for (const Tensor& one : {c.y.tensor(), c.window(g.rows, 0), c.window(g.rows, 1), c.window(g.rows, 2),
                              g.dt_raw.tensor(), g.dt_bias.tensor(), g.a_log.tensor(), g.d.tensor()})
      for (const double value : values_of(one)) ASSERT_TRUE(std::isfinite(value)) << dt_mean;
  }
}

TEST(Ssd, RefusesGroupsThatDoNotDivideHeadsAndOtherShapes) {
  const SsdShape shape{.sequences = 1, .length = 4, .heads = 3, .head_dim = 4, .groups = 1, .d_state = 4, .chunk = 16};
  Case c(shape, DType::f32);
  SsdShape wrong = shape;
  wrong.groups = 2;
  EXPECT_THROW(ssd_forward(wrong, c.inputs(), c.y, {}, c.exec), ShapeError);
  wrong = shape;
  wrong.length = 5;
  EXPECT_THROW(ssd_forward(wrong, c.inputs(), c.y, {}, c.exec), ShapeError);
}

}  // namespace
}  // namespace hyscale::kernels
