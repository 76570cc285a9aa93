#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>

#include "core/base/error.h"
#include "core/base/files.h"
#include "scheduler/adopt.h"
#include "scheduler/background.h"
#include "scheduler/commands.h"
#include "scheduler/find_run.h"
#include "scheduler/registration.h"
#include "scheduler/standing.h"

namespace hyscale::scheduler {
namespace {

namespace fs = std::filesystem;

struct AdoptArguments {
  std::vector<std::string> what;
  std::string study, name;
};

int adopt_directory(storage::Database& database, const std::string& directory) {
  switch (adopt_run(database, directory)) {
    case Adoption::taken:
      fmt::print("{}: adopted\n", directory);
      return 0;
    case Adoption::known:
      fmt::print("{}: known already\n", directory);
      return 0;
    case Adoption::unfinished:
      break;
  }
  throw ConfigError({.what = directory + " has no final record: the run is not finished",
                     .remedy = "let hybrid-worker train … --resume finish it, then adopt it"});
}

int adopt_store(storage::Database& database, const std::string& other, const AdoptArguments& arguments) {
  const auto studies = archived_studies(other);
  if (!arguments.study.empty() && std::find(studies.begin(), studies.end(), arguments.study) == studies.end())
    throw ConfigError({.what = fmt::format("{} holds no study {}", other, arguments.study)});
  for (const std::string& study : studies) {
    if (!arguments.study.empty() && study != arguments.study) continue;
    const AdoptedStudy adopted = adopt_study(database, other, study, arguments.name.empty() ? study : arguments.name);
    fmt::print("study {}: {} runs, {} results adopted, {} known already\n", adopted.name, adopted.runs, adopted.taken,
               adopted.known);
  }
  return 0;
}

int adopt_here(storage::Database& database, const std::string& study) {
  take_over(database, study);
  ensure_driver(database, study);
  fmt::print("study {} is driven from this host now\n", study);
  return 0;
}

int adopt(const Study& study, const AdoptArguments& arguments) {
  if (!arguments.name.empty() && arguments.study.empty())
    throw ConfigError(Problem{.what = "--as renames one study", .remedy = "say which with --study"});
  const bool from_elsewhere = std::any_of(arguments.what.begin(), arguments.what.end(),
                                          [](const std::string& what) { return fs::is_directory(what); });
  storage::Database database(store_path(study),
                             from_elsewhere ? storage::Database::Mode::create : storage::Database::Mode::write);
  for (const std::string& what : arguments.what) {
    const bool is_store = fs::is_directory(fs::path(what) / "studies");
    if (is_store && fs::exists(database.store()) && fs::equivalent(what, database.store()))
      throw ConfigError(
          {.what = what + " is this store", .remedy = "name another one, or one of this store's studies"});
    if (is_store)
      adopt_store(database, fs::absolute(what).lexically_normal().string(), arguments);
    else if (fs::is_directory(what))
      adopt_directory(database, what);
    else
      adopt_here(database, what);
  }
  return 0;
}

}  // namespace

void add_adopt_command(CLI::App& app, Study& study) {
  CLI::App* command =
      app.add_subcommand("adopt", "Take in runs or studies from elsewhere, or a study driven elsewhere");
  const auto arguments = std::make_shared<AdoptArguments>();
  command
      ->add_option("RUN|STORE|NAME", arguments->what,
                   "A finished run's directory, another store, or a study of this store")
      ->required();
  command->add_option("--study", arguments->study, "Of the other store this study alone")->type_name("NAME");
  command->add_option("--as", arguments->name, "Its name here")->type_name("NAME");
  command->footer(
      "A run's directory is copied into the store; whichever study wants the run finds it done.\n"
      "Of another store come its studies with their finished runs; study submit or retry carries on with the rest.\n"
      "A study of this store that was submitted on another host is driven from this one from now on.\n"
      "Example:\n  study adopt runs/my-run\n  study adopt /scratch/other-store --study pilot --as pilot-b\n"
      "  study adopt quickstart");
  command->callback([&study, arguments] { study.body = [&study, arguments] { return adopt(study, *arguments); }; });
}

}  // namespace hyscale::scheduler
