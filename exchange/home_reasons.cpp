#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include <nlohmann/json.hpp>

#include "exchange/homes.h"

namespace hyscale::exchange {
namespace {

using Path = std::vector<std::string>;

Path operator/(Path path, const std::string& key) {
  path.push_back(key);
  return path;
}

std::string rope_text(const std::optional<spec::Rope>& rope) { return rope ? rope->to_yaml() : "none"; }

std::string shape_text(const spec::AttentionSpec& a) {
  return fmt::format("heads {}, kv_heads {}, head_dim {}, rope {}", a.heads, a.kv_heads, a.head_dim, rope_text(a.rope));
}
std::string shape_text(const spec::Mamba2Spec& m) {
  return fmt::format("d_ssm {}, head_dim {}, d_state {}, groups {}, conv {}", m.d_ssm, m.head_dim, m.d_state, m.groups,
                     m.conv);
}
std::string shape_text(const spec::HybridSpec& h) {
  if (h.fusion != spec::HybridFusion::subtract) return "the sum of both branches";
  return fmt::format("{} minus {}", h.branches[0]->kind(), h.branches[1]->kind());
}

/// Goes over a model and notes what a class has no place for.
class Fit {
 public:
  Fit(const HomeRules& home, const spec::ModelConfig& model) : home_(home), model_(model) {}

  std::vector<Unfit> reasons() {
    std::set<std::string> seen;
    for (const spec::BlockConfig& block : model_.stack)
      if (seen.insert(block.name).second) check_block(block);
    check_ffn();
    return std::move(reasons_);
  }

 private:
  void complain(Path at, std::string what, std::string remedy) {
    reasons_.push_back({std::move(what), std::move(remedy), std::move(at)});
  }

  void check_block(const spec::BlockConfig& block) {
    const Path at{"model", "mixers", block.name};
    const auto* attention = dynamic_cast<const spec::AttentionSpec*>(block.mixer.get());
    const auto* mamba2 = dynamic_cast<const spec::Mamba2Spec*>(block.mixer.get());
    const auto* hybrid = dynamic_cast<const spec::HybridSpec*>(block.mixer.get());
    if ((attention && home_.attention) || (mamba2 && home_.mamba2)) {
      if (attention) check(*attention, block.name, at);
      if (mamba2) check(*mamba2, block.name, at);
    } else if (hybrid && home_.hybrid) {
      check(*hybrid, block.name, at);
    } else {
      complain(at, fmt::format("has {}: block {} is {}", mixers_of_home(), block.name, block.mixer->kind()), "");
    }
  }

  std::string mixers_of_home() const {
    if (home_.hybrid) return "mamba2 and attention side by side in every layer";
    if (home_.attention && home_.mamba2) return "layers of attention or mamba2";
    return home_.attention ? "layers of attention alone" : "layers of mamba2 alone";
  }

  template <class Spec>
  void check_same(const Spec*& first, std::string& first_name, const Spec& spec, const std::string& name,
                  const Path& at) {
    if (first == nullptr) {
      first = &spec, first_name = name;
      return;
    }
    const std::string one = shape_text(*first), other = shape_text(spec);
    if (one != other)
      complain(at,
               fmt::format("has one shape of {} for all layers: {} has {}; {} has {}", spec.kind(), first_name, one,
                           name, other),
               "give them the same shape");
  }

  void check(const spec::AttentionSpec& attention, const std::string& name, const Path& at) {
    if (attention.window > 0)
      complain(at / "window", fmt::format("has no sliding window: {} has window {}", name, attention.window),
               "leave the window out");
    if (attention.value_dim != attention.q_width())
      complain(at / "value_dim",
               fmt::format("has values as wide as queries: {} has value_dim {} and heads × head_dim {}", name,
                           attention.value_dim, attention.q_width()),
               "leave value_dim out");
    check_rope(attention, name, at);
    if (home_.heads_divide_width && model_.d_model % attention.heads != 0)
      complain(at / "heads",
               fmt::format("wants d_model to be a multiple of the heads: {} has {} for d_model {}", name,
                           attention.heads, model_.d_model),
               "");
    check_same(attention_, attention_name_, attention, name, at);
  }

  void check_rope(const spec::AttentionSpec& attention, const std::string& name, const Path& at) {
    if (home_.rope == RopeRule::without && attention.rope)
      complain(at / "rope", fmt::format("marks no positions: {} has rope {}", name, rope_text(attention.rope)),
               "rope: none");
    if (home_.rope != RopeRule::without && !attention.rope)
      complain(at / "rope", fmt::format("turns queries and keys by their positions: {} has rope none", name),
               "rope: {theta: 10000}");
    if (home_.rope == RopeRule::whole && attention.rope &&
        attention.rope->channels(attention.head_dim) != attention.head_dim)
      complain(at / "rope", fmt::format("turns whole heads: {} has rope {}", name, rope_text(attention.rope)),
               "fraction: 1");
  }

  void check(const spec::Mamba2Spec& mamba2, const std::string& name, const Path& at) {
    if (mamba2.gated_norm && mamba2.norm_groups != mamba2.groups)
      complain(at / "norm_groups",
               fmt::format("norms each of the groups of B and C by itself: {} has groups {} and norm_groups {}", name,
                           mamba2.groups, mamba2.norm_groups),
               fmt::format("norm_groups: {}", mamba2.groups));
    if (home_.whole_expansion && mamba2.d_ssm % model_.d_model != 0)
      complain(at / "d_ssm",
               fmt::format("has a d_ssm that is a whole multiple of d_model = {}: {} has {}", model_.d_model, name,
                           mamba2.d_ssm),
               fmt::format("d_ssm: {}", std::max<int64_t>(1, mamba2.d_ssm / model_.d_model) * model_.d_model));
    check_same(mamba2_, mamba2_name_, mamba2, name, at);
  }

  void check(const spec::HybridSpec& hybrid, const std::string& name, const Path& at) {
    if (!attention_of(hybrid) || !mamba2_of(hybrid))
      return complain(at / "branches",
                      fmt::format("has one branch of mamba2 and one of attention: {} has {} and {}", name,
                                  hybrid.branches[0]->kind(), hybrid.branches[1]->kind()),
                      "");
    if (hybrid.norm != spec::HybridNorm::none)
      complain(at / "norm", fmt::format("has no norm of each branch: {} has norm: group", name), "norm: none");
    if (hybrid.scale != spec::HybridScale::none)
      complain(at / "scale",
               fmt::format("has no learned scale of a branch: {} has scale: {}", name,
                           spec::kHybridScales[static_cast<size_t>(hybrid.scale)]),
               "scale: none");
    if (hybrid.value != spec::HybridValue::separate)
      complain(at / "value", fmt::format("has values of each branch's own: {} has value: joint", name),
               "value: separate");
    for (size_t b = 0; b < hybrid.branches.size(); ++b) {
      const std::string branch = fmt::format("branch {} of {}", b, name);
      const Path there = at / "branches" / std::to_string(b);
      if (const auto* attention = dynamic_cast<const spec::AttentionSpec*>(hybrid.branches[b].get()))
        check(*attention, branch, there);
      if (const auto* mamba2 = dynamic_cast<const spec::Mamba2Spec*>(hybrid.branches[b].get()))
        check(*mamba2, branch, there);
    }
    check_same(hybrid_, hybrid_name_, hybrid, name, at);
  }

  void check_ffn() {
    std::vector<size_t> with, without;
    std::set<int64_t> widths;
    for (size_t n = 0; n < model_.stack.size(); ++n) {
      (model_.stack[n].ffn ? with : without).push_back(n);
      if (model_.stack[n].ffn) widths.insert(model_.stack[n].ffn->d_ff);
    }
    const Path at = with.empty() || without.empty() ? Path{"model", "ffn"} : Path{"model", "stack"};
    if (home_.ffn && !without.empty())
      complain(at,
               fmt::format("has a feed-forward layer behind every mixer: {} of {} layers have none ({})",
                           without.size(), model_.stack.size(), listed(without)),
               "ffn: {kind: swiglu, d_ff: …}");
    if (!home_.ffn && !with.empty())
      complain(at,
               fmt::format("has no feed-forward layers: {} of {} layers have one ({})", with.size(),
                           model_.stack.size(), listed(with)),
               "ffn: {kind: none}");
    if (home_.ffn && widths.size() > 1)
      complain({"model", "stack"},
               fmt::format("has one width of feed-forward layers: here are {}", fmt::join(widths, ", ")),
               "give all of them one d_ff");
  }

  // Counted from 0, as `inspect` and the tensors' names do.
  static std::string listed(const std::vector<size_t>& layers) {
    constexpr size_t kShown = 8;
    const bool all = layers.size() <= kShown;
    return fmt::format(
        "{}{}",
        fmt::join(layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(all ? layers.size() : kShown), ", "),
        all ? "" : ", …");
  }

  const HomeRules& home_;
  const spec::ModelConfig& model_;
  std::vector<Unfit> reasons_;
  const spec::AttentionSpec* attention_ = nullptr;
  const spec::Mamba2Spec* mamba2_ = nullptr;
  const spec::HybridSpec* hybrid_ = nullptr;
  std::string attention_name_, mamba2_name_, hybrid_name_;
};

}  // namespace

std::vector<Unfit> reasons_against(const HomeRules& home, const spec::ModelConfig& model) {
  return Fit(home, model).reasons();
}

}  // namespace hyscale::exchange
