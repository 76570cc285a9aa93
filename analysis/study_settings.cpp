#include "analysis/study_settings.h"

#include <fmt/format.h>
#include <set>

#include "core/base/error.h"
#include "core/spec/run_config.h"

namespace hyscale::analysis {
namespace {

std::string phase_of(const spec::ScheduleConfig& schedule) {
  const bool decays = schedule.kind == spec::ScheduleKind::cosine ||
                      (schedule.kind == spec::ScheduleKind::trapezoid && schedule.cooldown_tokens > 0);
  return decays ? "decayed" : "stable";
}

std::string tokenizer_of(const spec::CorpusManifest& corpus) {
  return fmt::format("{} {}", corpus.tokenizer, corpus.identity.tokenizer_sha256.substr(0, 8));
}

}  // namespace

StudySettings read_settings(const std::string& store, const std::vector<storage::RunRow>& runs) {
  StudySettings settings;
  std::set<std::string> unreadable;
  const auto corpus_named = [&](const std::string& name) -> const spec::CorpusManifest* {
    if (const auto known = settings.corpora.find(name); known != settings.corpora.end()) return &known->second;
    if (unreadable.contains(name)) return nullptr;
    try {
      return &settings.corpora.emplace(name, spec::load_corpus_manifest(spec::corpus_directory(store, name)))
                  .first->second;
    } catch (const Error& error) {
      unreadable.insert(name);
      settings.problems.emplace_back(error.what());
      return nullptr;
    }
  };
  for (const storage::RunRow& run : runs) {
    try {
      const spec::RunConfig config = spec::parse_run_config(run.config, "run " + run.run_id);
      StudySettings::Run& known = settings.runs[run.run_id];
      known.phase = phase_of(config.train.schedule);
      for (const spec::CorpusShare& share : config.data.shares())
        if (const spec::CorpusManifest* corpus = corpus_named(share.corpus)) known.tokenizer = tokenizer_of(*corpus);
    } catch (const Error& error) {
      settings.problems.emplace_back(error.what());
    }
  }
  return settings;
}

}  // namespace hyscale::analysis
