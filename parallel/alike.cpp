#include "parallel/alike.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace hyscale::parallel {
namespace {

std::string facts_of(const Execution& own, const Mesh& mesh) {
  nlohmann::json facts{{"config", nlohmann::json::parse(own.canonical)}};
  for (const char* name : {"device", "dp", "tp", "micro_batch", "deterministic", "branches"})
    facts[name] = own.settings.at(name);
  for (const char* name : {"commit", "build", "recompute"}) facts[name] = own.provenance.at(name);
  if (mesh.tp > 1) facts["kernels"] = own.provenance.at("kernels");
  return facts.dump();
}

/// What rank 0 has.
std::string from_rank_0(std::string text, Collective& ranks) {
  size_t length = text.size();
  ranks.broadcast(std::as_writable_bytes(std::span(&length, 1)), 0);
  text.resize(length);
  ranks.broadcast(std::as_writable_bytes(std::span(text)), 0);
  return text;
}

}  // namespace

void check_alike(const Execution& own, const Mesh& mesh, Collective& ranks) {
  if (ranks.size() == 1) return;
  const std::string here = facts_of(own, mesh), first = from_rank_0(here, ranks);
  if (here == first) return;
  const auto found = first_difference(first, here);
  throw ConfigError({.what = fmt::format("rank {} would not do what rank 0 does: {} (there: rank 0, here: rank {})",
                                         ranks.rank(), found.value_or("they differ"), ranks.rank()),
                     .why = "all ranks train one model",
                     .remedy = "start the same program with the same arguments and files on every rank"});
}

}  // namespace hyscale::parallel
