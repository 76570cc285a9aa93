#include "core/base/command_line.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "core/base/version.h"

namespace hyscale {
namespace {

/// "TEXT:{auto,cpu,cuda}" → auto, cpu, cuda.
std::vector<std::string> choices_of(const std::string& type) {
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

ValueKind kind_of(const OptionShape& option) {
  if (option.value.empty()) return ValueKind::none;
  if (!option.choices.empty()) return ValueKind::choice;
  if (option.value == "STUDY" || option.value == "NAME") return ValueKind::study;
  if (option.value == "DIR") return ValueKind::directory;
  for (const char* prefix : {"INT", "UINT", "FLOAT", "A.B=C"})
    if (option.value.starts_with(prefix)) return ValueKind::none;
  return ValueKind::file;
}

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

OptionShape shape_of_option(const CLI::Option& option) {
  OptionShape shape{.names = {}, .value = {}, .choices = {}, .description = option.get_description()};
  for (const std::string& name : option.get_snames()) shape.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) shape.names.push_back("--" + name);
  shape.required = option.get_required();
  shape.repeats = option.get_expected_max() > 1;
  if (option.get_items_expected_max() == 0) return shape;  // a flag
  const std::string type = option.get_type_name();
  shape.choices = choices_of(type);
  const bool named = type != "TEXT" || shape.names.size() > 0;  // a positional's own name says more than TEXT
  shape.value = named ? type.substr(0, type.find(':')) : upper_case(option.get_name(true));
  shape.kind = kind_of(shape);
  return shape;
}

void add_options(CommandShape& shape, const CLI::App& app, bool inherited) {
  for (const CLI::Option* option : app.get_options()) {
    const bool own = option == app.get_help_ptr() || option == app.get_version_ptr();
    if (option->get_group().empty() || (inherited && (own || !option->nonpositional()))) continue;
    OptionShape one = shape_of_option(*option);
    (one.names.empty() ? shape.positionals : shape.options).push_back(std::move(one));
  }
}

CommandShape walk(const CLI::App& app, const std::string& name) {
  CommandShape shape{.name = name,
                     .description = app.get_description(),
                     .footer = app.get_footer(),
                     .options = {},
                     .positionals = {},
                     .commands = {}};
  add_options(shape, app, false);
  for (const CLI::App* above = &app; above->get_fallthrough() && above->get_parent() != nullptr;) {
    above = above->get_parent();
    add_options(shape, *above, true);
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); })) {
    if (!command->get_name().empty())
      shape.commands.push_back(walk(*command, command->get_name()));
    else
      add_options(shape, *command, false);  // a group of options
  }
  return shape;
}

}  // namespace

CommandShape shape_of(const CLI::App& app, const std::string& program) { return walk(app, program); }

void add_shell_commands(CLI::App& app, const std::string& program, ManualNotes notes) {
  CLI::App* completion = app.add_subcommand("completion", "Print the shell's completion of this command line");
  const auto shell = std::make_shared<std::string>();
  completion->add_option("shell", *shell, "The shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->footer("Example: source <(" + program + " completion bash)");
  completion->callback([&app, program, shell] {
    const CommandShape shape = shape_of(app, program);
    const std::string text = *shell == "bash"  ? bash_completion(shape)
                             : *shell == "zsh" ? zsh_completion(shape)
                                               : fish_completion(shape);
    std::fputs(text.c_str(), stdout);
    throw CLI::Success();  // nothing else of the program runs
  });
  CLI::App* manual = app.add_subcommand("manual", "Print the manual page of this program");
  manual->footer("Example: " + program + " manual | man -l -");
  manual->callback([&app, program, notes = std::move(notes)] {
    std::fputs(manual_page(shape_of(app, program), notes, version::kVersion).c_str(), stdout);
    throw CLI::Success();
  });
}

}  // namespace hyscale
