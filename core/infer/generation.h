#pragma once

#include <functional>
#include <vector>

#include "core/infer/sampling.h"
#include "core/mixers/past.h"
#include "core/model/model.h"

namespace hyscale::infer {

/// What to go on with, and for how long.
struct Request {
  std::vector<std::vector<int32_t>> prompts;  // one for each sequence, not empty
  int64_t tokens = 0;                         // to generate behind each
  int32_t end = -1;                           // a sequence ends behind this token; -1: none does
  int64_t piece = 2048;                       // tokens of one forward pass over prompts
};

/// A batch of sequences that a model goes on with.
///
///     Generation generation(model, request, sampling);
///     generation.read_prompts();
///     while (!generation.done()) show(generation.step());
class Generation {
 public:
  /// Throws ConfigError for a prompt that is empty or holds an unknown token. `model` outlives it.
  Generation(model::Model& model, Request request, const Sampling& sampling, DeviceContext& context = host_context());

  /// All prompts, pieces at a time; prompts of one length go together. Calls `progress` with the tokens read so far.
  void read_prompts(const std::function<void(int64_t)>& progress = {});
  bool done() const;
  /// The next token of every sequence; -1 for one that has ended.
  const std::vector<int32_t>& step();

  const std::vector<int32_t>& generated(size_t sequence) const { return generated_[sequence]; }
  int64_t prompt_tokens() const;
  const model::Past& past() const { return past_; }

 private:
  bool ended(size_t sequence) const;
  void read(int64_t first, int64_t count, const std::function<void(int64_t)>& progress);

  model::Model& model_;
  const Request request_;
  const Sampling sampling_;
  model::Past past_;
  OwnedTensor logits_;  // f32 [sequences, vocabulary], of each sequence's last token
  OwnedTensor fed_;     // i32 [sequences, 1]
  std::vector<int32_t> next_;
  std::vector<std::vector<int32_t>> generated_;
  int64_t read_tokens_ = 0;
};

}  // namespace hyscale::infer
