#include "core/infer/generation.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::infer {
namespace {

/// Tokens of the longest prompt and what follows it. The last one drawn is never fed.
int64_t capacity_of(const Request& request) {
  size_t longest = 0;
  for (const auto& prompt : request.prompts) longest = std::max(longest, prompt.size());
  return static_cast<int64_t>(longest) + std::max<int64_t>(request.tokens - 1, 0);
}

void check(const Request& request, int64_t vocabulary) {
  Problems problems;
  if (request.prompts.empty()) problems.add({.what = "there is no prompt", .remedy = "give one"});
  for (size_t s = 0; s < request.prompts.size(); ++s) {
    if (request.prompts[s].empty())
      problems.add({.what = fmt::format("prompt {} is empty", s + 1), .remedy = "begin with one token at least"});
    for (const int32_t token : request.prompts[s])
      if (token < 0 || token >= vocabulary) {
        problems.add({.what = fmt::format("prompt {} holds token {}; the model has {}", s + 1, token, vocabulary),
                      .remedy = "use the tokenizer that the model was trained with"});
        break;
      }
  }
  problems.throw_if_any();
}

}  // namespace

Generation::Generation(model::Model& model, Request request, const Sampling& sampling, DeviceContext& context)
    : model_(model),
      request_(std::move(request)),
      sampling_(sampling),
      past_(static_cast<int64_t>(request_.prompts.size()), capacity_of(request_), context),
      logits_(DType::f32, {past_.sequences(), model.config().vocabulary}),
      fed_(DType::i32, {past_.sequences(), 1}),
      next_(request_.prompts.size(), -1),
      generated_(request_.prompts.size()) {
  check(request_, model.config().vocabulary);
}

int64_t Generation::prompt_tokens() const {
  int64_t sum = 0;
  for (const auto& prompt : request_.prompts) sum += static_cast<int64_t>(prompt.size());
  return sum;
}

void Generation::read_prompts(const std::function<void(int64_t)>& progress) {
  const auto same = [&](const auto& prompt) { return prompt.size() == request_.prompts.front().size(); };
  if (std::all_of(request_.prompts.begin(), request_.prompts.end(), same)) return read(0, past_.sequences(), progress);
  for (int64_t s = 0; s < past_.sequences(); ++s) read(s, 1, progress);
}

void Generation::read(int64_t first, int64_t count, const std::function<void(int64_t)>& progress) {
  const auto length = static_cast<int64_t>(request_.prompts[static_cast<size_t>(first)].size());
  const int64_t most = std::max<int64_t>(1, request_.piece / count);
  for (int64_t begin = 0; begin < length; begin += most) {
    const int64_t tokens = std::min(most, length - begin);
    const OwnedTensor piece(DType::i32, {count, tokens});
    const auto to = piece.tensor().view<int32_t, 2>();
    for (int64_t s = 0; s < count; ++s)
      std::copy_n(request_.prompts[static_cast<size_t>(first + s)].begin() + begin, tokens, &to(s, 0));
    model_.go_on(piece, past_, first, logits_.tensor().slice(0, first, count));
    read_tokens_ += count * tokens;
    if (progress) progress(read_tokens_);
  }
}

bool Generation::ended(size_t sequence) const {
  const std::vector<int32_t>& own = generated_[sequence];
  return static_cast<int64_t>(own.size()) >= request_.tokens || (!own.empty() && own.back() == request_.end);
}

bool Generation::done() const {
  for (size_t s = 0; s < generated_.size(); ++s)
    if (!ended(s)) return false;
  return true;
}

// What a sequence that has ended is fed changes nothing that anybody reads: its length stays within the cache, because
// the longest one's does.
const std::vector<int32_t>& Generation::step() {
  const int64_t vocabulary = logits_.tensor().extent(1);
  if (std::any_of(next_.begin(), next_.end(), [](int32_t token) { return token >= 0; })) {
    for (size_t s = 0; s < next_.size(); ++s) fed_.tensor().as<int32_t>()[s] = std::max(next_[s], 0);
    model_.go_on(fed_, past_, 0, logits_);
  }
  for (size_t s = 0; s < next_.size(); ++s) {
    next_[s] = -1;
    if (ended(s)) continue;
    const float* const own = logits_.tensor().as<const float>() + static_cast<int64_t>(s) * vocabulary;
    next_[s] = sample({own, static_cast<size_t>(vocabulary)}, sampling_, s, generated_[s].size());
    generated_[s].push_back(next_[s]);
  }
  return next_;
}

}  // namespace hyscale::infer
