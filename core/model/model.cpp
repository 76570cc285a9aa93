#include "core/model/model.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/gemm.h"
#include "core/kernels/rms_norm.h"
#include "core/model/device_batch.h"
#include "core/model/ffn.h"
#include "core/model/finite_check.h"
#include "core/model/shared_gradients.h"
#include "core/model/vocabulary.h"
#include "core/spec/accounting.h"
#include "core/spec/split.h"

namespace hyscale::model {

namespace {

/// A norm in front of a layer; adds the layer before it to the residual stream on the way.
class PreNorm {
 public:
  PreNorm(const Parameter& weight, double epsilon) : weight_(&weight), epsilon_(epsilon) {}

  /// `stream` becomes stream + delta (delta may be empty); returns the normalised rows.
  const Tensor& forward(Tensor& stream, const Tensor& delta, const Exec& exec) {
    out_ = exec.arena->matrix(stream.dtype(), stream.extent(0), stream.extent(1));
    rstd_ = exec.arena->tensor(wide(stream.dtype()), {stream.extent(0)});
    input_ = delta.empty() ? stream : exec.arena->matrix(stream.dtype(), stream.extent(0), stream.extent(1));
    kernels::rms_norm({.out = out_,
                       .rstd = rstd_,
                       .sum = input_,
                       .x = stream,
                       .delta = delta,
                       .weight = weight_->weight,
                       .epsilon = epsilon_},
                      exec);
    stream = input_;
    return out_;
  }

  const Tensor& out() const { return out_; }
  const Parameter& weight() const { return *weight_; }

  void backward(const Tensor& dout, const Tensor& dstream, bool accumulate, const Exec& exec) {
    kernels::rms_norm_backward({.dx = dstream,
                                .dweight = weight_->gradient,
                                .dout = dout,
                                .x = input_,
                                .rstd = rstd_,
                                .weight = weight_->weight,
                                .accumulate = accumulate},
                               exec);
  }

 private:
  const Parameter* weight_;
  double epsilon_;
  Tensor input_, rstd_, out_;
};

struct Layer {
  PreNorm mixer_norm;
  std::unique_ptr<Mixer> mixer;
  std::optional<PreNorm> ffn_norm;
  std::optional<FeedForward> ffn;
};

spec::Shard shard_of(const TensorGroup* ranks) {
  return ranks == nullptr ? spec::Shard{} : spec::Shard{ranks->rank(), ranks->size()};
}

Layer make_layer(const spec::ModelConfig& config, size_t index, const ParameterTable& parameters,
                 const MixerContext& context) {
  const spec::BlockConfig& block = config.stack[index];
  const std::string prefix = "layers." + std::to_string(index) + ".";
  Layer layer{
      .mixer_norm = PreNorm(parameters.at(prefix + "mixer_norm.weight"), config.norm_epsilon),
      .mixer = make_mixer(*spec::mixer_part(block, shard_of(context.ranks)), context, parameters, prefix + "mixer."),
      .ffn_norm = {},
      .ffn = {}};
  if (block.ffn) {
    layer.ffn_norm.emplace(parameters.at(prefix + "ffn_norm.weight"), config.norm_epsilon);
    layer.ffn.emplace(parameters, prefix + "ffn.");
  }
  return layer;
}

}  // namespace

struct Model::State {
  State(const spec::ModelConfig& model_config, DType dtype, spec::RopeExtension extension, DeviceContext& device,
        TensorGroup* group)
      : config(model_config),
        ranks(group),
        compute(dtype),
        context(device),
        parameters(spec::parameter_list(config, shard_of(ranks)), dtype, device),
        embedding(&parameters.at("embedding.weight")),
        vocabulary(*embedding, config.vocabulary, ranks),
        final_norm(parameters.at("final_norm.weight"), config.norm_epsilon),
        arena(device.memory()),
        loss(DType::f64, {1}, device.memory()) {
    if (extension.trained_context == 0) extension.trained_context = config.context;
    const MixerContext around{
        .d_model = config.d_model, .norm_epsilon = config.norm_epsilon, .rope_extension = extension, .ranks = ranks};
    for (size_t i = 0; i < config.stack.size(); ++i) layers.push_back(make_layer(config, i, parameters, around));
  }

  Exec exec() {
    return {
        .device = context.device(), .arena = &arena, .context = &context, .two_queues = side_by_side, .float8 = float8};
  }
  Tensor forward(const Tensor& inputs, const BatchShape& shape);
  Tensor forward(const TokenBatch& batch);
  void backward(const TokenBatch& batch, const Tensor& dfinal, const GradientsDone& done);
  void accumulate(const TokenBatch& batch, double scale, const GradientsDone& done);
  /// The gradients of `first` and of all before `end` (null: the last) are complete but for what other ranks add.
  void completed(const Parameter* first, const Parameter* end, const GradientsDone& done);
  TokenBatch brought(const TokenBatch& batch);
  /// Completes what every rank of a split model computed its part of.
  void add_up(const Tensor& values) {
    if (ranks != nullptr) ranks->sum(values);
  }

  spec::ModelConfig config;
  TensorGroup* ranks;  // that hold the other parts of the model; null: it is whole here
  DType compute;
  DeviceContext& context;
  ParameterTable parameters;
  const Parameter* embedding;  // tied: also the head
  Vocabulary vocabulary;       // the same at work
  std::vector<Layer> layers;
  PreNorm final_norm;
  Arena arena;
  OwnedTensor loss;  // f64 [1]
  std::deque<DeviceBatch> batches;
  spec::Recompute recompute = spec::Recompute::none;
  bool side_by_side = false;
  bool float8 = false;
  bool complete = false;         // nothing is left for complete_gradients
  FiniteCheck* check = nullptr;  // set while somebody looks for a value that is not finite
};

static BatchShape shape_of(const TokenBatch& batch) {
  if (batch.inputs.rank() != 2)
    throw ShapeError("a batch needs inputs [sequences, length]: " + batch.inputs.describe());
  if (!batch.document_begins.empty()) expect_shape("document_begins", batch.document_begins, batch.inputs.shape());
  return {
      .sequences = batch.inputs.extent(0), .length = batch.inputs.extent(1), .document_begins = batch.document_begins};
}

static Tensor flat(const Tensor& tensor) { return tensor.reshape({tensor.numel()}); }

// The normalised rows that the head reads, [tokens, d_model].
Tensor Model::State::forward(const Tensor& inputs, const BatchShape& shape) {
  const auto rows = [&] { return arena.matrix(compute, shape.tokens(), config.d_model); };
  Tensor stream = rows();
  const Tensor out = rows();  // of every layer in turn: the norm behind it adds it to the stream
  Tensor delta;               // what that norm adds; nothing yet
  vocabulary.embed(flat(inputs), stream, exec());
  for (size_t i = 0; i < layers.size(); ++i) {
    Layer& layer = layers[i];
    const Tensor& mixer_in = layer.mixer_norm.forward(stream, delta, exec());
    delta = out;
    layer.mixer->forward(mixer_in, delta, shape, exec());
    add_up(delta);
    if (check != nullptr) check->look(i, "mixer's output", delta);
    if (!layer.ffn) continue;
    const Tensor& ffn_in = layer.ffn_norm->forward(stream, delta, exec());
    layer.ffn->forward(ffn_in, delta, recompute != spec::Recompute::swiglu, exec());
    add_up(delta);
    if (check != nullptr) check->look(i, "ffn's output", delta);
  }
  const Tensor& final_rows = final_norm.forward(stream, delta, exec());
  if (check != nullptr) check->look("final_norm's output", final_rows);
  return final_rows;
}

Tensor Model::State::forward(const TokenBatch& batch) { return forward(batch.inputs, shape_of(batch)); }

// One buffer carries the gradient of the residual stream from the last layer to the embedding.
void Model::State::backward(const TokenBatch& batch, const Tensor& dfinal, const GradientsDone& done) {
  const Tensor dstream = arena.matrix(dfinal.dtype(), dfinal.extent(0), dfinal.extent(1));
  final_norm.backward(dfinal, dstream, false, exec());
  const Parameter* behind = &final_norm.weight();
  if (done) completed(behind, nullptr, done);
  const Tensor& dinput = dfinal;  // free from here on
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    if (layer->ffn) {
      layer->ffn->backward(layer->ffn_norm->out(), dstream, dinput, exec());
      add_up(dinput);
      layer->ffn_norm->backward(dinput, dstream, true, exec());
    }
    layer->mixer->backward(layer->mixer_norm.out(), dstream, dinput, exec());
    add_up(dinput);
    layer->mixer_norm.backward(dinput, dstream, true, exec());
    const Parameter* first = &layer->mixer_norm.weight();
    if (done) completed(first, behind, done);
    behind = first;
  }
  vocabulary.embed_backward(flat(batch.inputs), dstream, exec());
  if (done) completed(embedding, behind, done);
  complete = static_cast<bool>(done);
}

void Model::State::completed(const Parameter* first, const Parameter* end, const GradientsDone& done) {
  const Parameter* last = parameters.all().data() + parameters.all().size();
  if (ranks != nullptr) sum_shared_gradients({first, end != nullptr ? end : last}, *ranks, exec());
  done(first->offset, end != nullptr ? end->offset : parameters.gradients().numel());
}

// Where the model computes: itself on the CPU, a copy on a GPU.
TokenBatch Model::State::brought(const TokenBatch& batch) {
  if (context.device() == Device::cpu) return batch;
  return batch_like(batches, batch, context).upload(batch, config.vocabulary);
}

void Model::State::accumulate(const TokenBatch& batch, double scale, const GradientsDone& done) {
  const Arena::Scope step(arena);
  const Tensor final_rows = forward(batch);
  const Tensor dfinal = arena.matrix(final_rows.dtype(), final_rows.extent(0), final_rows.extent(1));
  vocabulary.loss(final_rows, {.targets = flat(batch.targets), .loss = loss, .nll = {}, .dx = dfinal, .scale = scale},
                  exec());
  backward(batch, dfinal, done);
}

Model::Model(const spec::ModelConfig& config, DType compute, spec::RopeExtension extension, DeviceContext& context,
             TensorGroup* ranks)
    : state_(std::make_unique<State>(config, compute, extension, context, ranks)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;

const spec::ModelConfig& Model::config() const { return state_->config; }
ParameterTable& Model::parameters() { return state_->parameters; }
const ParameterTable& Model::parameters() const { return state_->parameters; }
void Model::recompute(spec::Recompute what) { state_->recompute = what; }
void Model::run_branches_side_by_side(bool yes) { state_->side_by_side = yes; }
void Model::multiply_in_float8(bool yes) { state_->float8 = yes; }
size_t Model::activation_bytes() const { return state_->arena.reserved_bytes(); }

void Model::accumulate(const TokenBatch& batch, double scale, const GradientsDone& done) {
  State& s = *state_;
  if (s.context.device() == Device::cpu) return s.accumulate(batch, scale, done);
  DeviceBatch& there = batch_like(s.batches, batch, s.context);
  there.upload(batch, s.config.vocabulary);
  there.run(scale, s.arena, [&] { s.accumulate(there.tokens(), scale, {}); });
}

void Model::complete_gradients() {
  State& s = *state_;
  if (s.ranks != nullptr && !s.complete) sum_shared_gradients(s.parameters.all(), *s.ranks, s.exec());
  s.complete = false;
}

double Model::take_loss() {
  State& s = *state_;
  double loss = 0;
  s.context.download(&loss, s.loss);
  s.context.memory().zero(s.loss.tensor().data(), sizeof loss);
  return loss;
}

double Model::forward_backward(const TokenBatch& batch, double scale) {
  accumulate(batch, scale);
  return take_loss();
}

std::string Model::find_nonfinite(const TokenBatch& batch, double scale) {
  State& s = *state_;
  FiniteCheck check(s.context);
  for (const Parameter& p : s.parameters.all()) check.look(p.spec.name, p.weight);
  const TokenBatch here = s.brought(batch);
  s.parameters.clear_gradients();
  s.check = &check;
  s.accumulate(here, scale, {});
  s.check = nullptr;
  if (!std::isfinite(take_loss()) && check.found().empty()) return "the logits";
  for (auto p = s.parameters.all().rbegin(); p != s.parameters.all().rend(); ++p)
    check.look(p->spec.name + "'s gradient", p->gradient);
  s.parameters.clear_gradients();
  return check.found();
}

void Model::token_nll(const TokenBatch& batch, const Tensor& nll) {
  State& s = *state_;
  const Arena::Scope step(s.arena);
  const TokenBatch here = s.brought(batch);
  const bool on_host = s.context.device() == Device::cpu;
  const Tensor nll_here = on_host ? nll : s.arena.tensor(DType::f32, nll.shape());
  const Tensor final_rows = s.forward(here);
  s.vocabulary.loss(final_rows, {.targets = flat(here.targets), .loss = {}, .nll = flat(nll_here), .dx = {}}, s.exec());
  if (!on_host) s.context.download(nll.data(), nll_here);
}

void Model::logits(const TokenBatch& batch, const Tensor& out) {
  State& s = *state_;
  const Arena::Scope step(s.arena);
  const TokenBatch here = s.brought(batch);
  const Tensor final_rows = s.forward(here);
  kernels::gemm({.out = out, .a = final_rows, .b = s.embedding->weight, .transpose_b = true}, s.exec());
}

// Throws for what no caller should come to: a mixer without it, a full cache.
static void check_past(const std::vector<Layer>& layers, const Past& past, int64_t first, const Tensor& tokens) {
  const auto goes_on = [](const Layer& layer) { return layer.mixer->goes_on(); };
  if (!std::all_of(layers.begin(), layers.end(), goes_on))
    throw ConfigError(Problem{.what = "a mixer of this model cannot go on behind tokens that it saw before",
                              .remedy = "its forward must heed BatchShape::past, its goes_on() say so"});
  if (tokens.rank() != 2 || tokens.empty() || first < 0 || first + tokens.extent(0) > past.sequences())
    throw ShapeError("tokens to go on with are " + tokens.describe());
  for (int64_t s = first; s < first + tokens.extent(0); ++s)
    if (past.length(s) + tokens.extent(1) > past.capacity())
      throw ConfigError({.what = fmt::format("sequence {} has {} tokens, {} more do not fit into a cache of {}", s,
                                             past.length(s), tokens.extent(1), past.capacity()),
                         .remedy = "make the cache longer, or ask for fewer tokens"});
}

void Model::go_on(const Tensor& tokens, Past& past, int64_t first, const Tensor& logits) {
  State& s = *state_;
  if (s.context.device() == Device::cuda || s.ranks != nullptr)
    throw ConfigError(Problem{.what = "this version goes on behind tokens on the CPU only, with the whole model"});
  check_past(s.layers, past, first, tokens);
  const Arena::Scope step(s.arena);
  const int64_t count = tokens.extent(0), length = tokens.extent(1);
  const BatchShape shape{
      .sequences = count, .length = length, .document_begins = {}, .past = &past, .past_first = first};
  Tensor rows = s.forward(tokens, shape);
  if (logits.extent(0) == count)
    rows = rows.slice(0, 0, count * length).reshape({count, length, s.config.d_model}).select(1, length - 1);
  kernels::gemm({.out = logits, .a = rows, .b = s.embedding->weight, .transpose_b = true}, s.exec());
  past.commit(first, count, length, s.exec());
}

}  // namespace hyscale::model
