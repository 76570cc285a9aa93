#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/command_line.h"

// Each script walks the words before the cursor to find the command they are in, as " bench train", and offers what the
// table of that command holds.

namespace hyscale {
namespace {

struct Place {
  std::string path;  // "", " bench", " bench train"
  const CommandShape* command;
};

void add_places(std::vector<Place>& places, const std::string& path, const CommandShape& command) {
  places.push_back({path, &command});
  for (const CommandShape& below : command.commands) add_places(places, path + " " + below.name, below);
}

std::vector<Place> places_of(const CommandShape& program) {
  std::vector<Place> places;
  add_places(places, "", program);
  return places;
}

/// A name for the script's functions: hybrid-worker → hybrid_worker.
std::string identifier(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == ' '; }, '_');
  return name;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// " train" | " bench train": the paths of all commands, as a case pattern of bash.
std::string command_pattern(const std::vector<Place>& places, const std::string& separator) {
  std::string text;
  for (const Place& place : places)
    if (!place.path.empty()) text += fmt::format("{}'{}'", text.empty() ? "" : separator, place.path);
  return text.empty() ? "''" : text;
}

std::string call_of(const OptionShape& option) {
  switch (option.kind) {
    case ValueKind::none:
      return "none";
    case ValueKind::choice:
      return fmt::format("words '{}'", fmt::join(option.choices, " "));
    case ValueKind::file:
      return "files";
    case ValueKind::directory:
      return "directories";
    case ValueKind::study:
      return "studies";
  }
  return "none";
}

// Positional arguments of different kinds are not counted: any file may come.
std::string call_of_positionals(const CommandShape& command) {
  if (command.positionals.empty()) return "none";
  const auto& first = command.positionals.front();
  const bool alike = std::all_of(command.positionals.begin(), command.positionals.end(),
                                 [&](const OptionShape& p) { return p.kind == first.kind; });
  return alike ? call_of(first) : "files";
}

constexpr const char* kBash = R"sh(# Completion for bash; printed by `@PROGRAM@ completion bash`.
_@ID@_offer() {
  COMPREPLY=()
  case $1 in
    words) mapfile -t COMPREPLY < <(compgen -W "$2" -- "$word") ;;
    files) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames 2>/dev/null ;;
    directories) mapfile -t COMPREPLY < <(compgen -d -- "$word"); compopt -o filenames 2>/dev/null ;;
    studies) mapfile -t COMPREPLY < <(compgen -W "$(ls "${HYSCALE_STORE:-hyscale-store}/studies" 2>/dev/null)" -- "$word") ;;
  esac
}
_@ID@() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path='' i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$path ${COMP_WORDS[i]}" in
      @COMMANDS@) path+=" ${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path $before" in
@VALUES@  esac
  case $path in
@PLACES@  esac
}
complete -F _@ID@ @PROGRAM@
)sh";

std::string filled(std::string text, const CommandShape& program) {
  return replaced(replaced(std::move(text), "@ID@", identifier(program.name)), "@PROGRAM@", program.name);
}

}  // namespace

std::string bash_completion(const CommandShape& program) {
  const std::vector<Place> places = places_of(program);
  const std::string offer = "_@ID@_offer ";
  std::string values, offers;
  for (const Place& place : places) {
    std::vector<std::string> words;
    for (const CommandShape& below : place.command->commands) words.push_back(below.name);
    const std::string below = fmt::format("words '{}'", fmt::join(words, " "));
    std::vector<std::string> names;
    for (const OptionShape& option : place.command->options) {
      std::string pattern;
      for (const std::string& name : option.names) {
        names.push_back(name);
        pattern += fmt::format("{}'{} {}'", pattern.empty() ? "" : " | ", place.path, name);
      }
      if (!option.value.empty()) values += fmt::format("    {}) {}{}; return ;;\n", pattern, offer, call_of(option));
    }
    offers += fmt::format("    '{}') if [[ $word == -* ]]; then {}words '{}'; else {}{}; fi ;;\n", place.path, offer,
                          fmt::join(names, " "), offer, words.empty() ? call_of_positionals(*place.command) : below);
  }
  std::string text = replaced(kBash, "@COMMANDS@", command_pattern(places, " | "));
  text = replaced(std::move(text), "@VALUES@", values);
  return filled(replaced(std::move(text), "@PLACES@", offers), program);
}

namespace {

std::string quoted(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

/// A description inside a specification of zsh's _arguments.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_value(const OptionShape& option) {
  if (option.value.empty()) return "";
  const std::string name = ":" + zsh_text(option.value);
  switch (option.kind) {
    case ValueKind::none:
      return name + ": ";
    case ValueKind::choice:
      return fmt::format("{}:({})", name, fmt::join(option.choices, " "));
    case ValueKind::file:
      return name + ":_files";
    case ValueKind::directory:
      return name + ":_files -/";
    case ValueKind::study:
      return name + ":_files -W ${HYSCALE_STORE:-hyscale-store}/studies -/";
  }
  return name;
}

std::string zsh_options(const CommandShape& command) {
  std::string text;
  for (const OptionShape& option : command.options)
    for (const std::string& name : option.names)
      text += fmt::format(" \\\n    {}", quoted(fmt::format("{}{}[{}]{}", option.repeats ? "*" : "", name,
                                                            zsh_text(option.description), zsh_value(option))));
  return text;
}

std::string zsh_function(const Place& place, const std::string& program) {
  const std::string name = "_" + identifier(program + place.path);
  if (place.command->commands.empty()) {
    std::string positionals;
    for (const OptionShape& p : place.command->positionals)
      positionals += fmt::format(" \\\n    {}", quoted((p.repeats ? "*" : "") + zsh_value(p)));
    return fmt::format("{}() {{\n  _arguments -s{}{}\n}}\n", name, zsh_options(*place.command), positionals);
  }
  std::string commands, calls;
  for (const CommandShape& below : place.command->commands) {
    commands += fmt::format("\n    {}", quoted(below.name + ":" + zsh_text(below.description)));
    calls += fmt::format("    {}) _{} ;;\n", below.name, identifier(program + place.path + " " + below.name));
  }
  return fmt::format(
      "{}() {{\n  local context state state_descr line\n  typeset -A opt_args\n  local -a commands=({})\n"
      "  _arguments -C{} \\\n    '1:command:->command' \\\n    '*::argument:->argument' && return\n"
      "  if [[ $state == command ]]; then _describe command commands; return; fi\n  case $line[1] in\n{}  esac\n}}\n",
      name, commands, zsh_options(*place.command), calls);
}

}  // namespace

std::string zsh_completion(const CommandShape& program) {
  std::string text =
      filled("#compdef @PROGRAM@\n# Completion for zsh; printed by `@PROGRAM@ completion zsh`.\n", program);
  for (const Place& place : places_of(program)) text += zsh_function(place, program.name);
  return text + filled("if [[ ${funcstack[1]} == _@PROGRAM@ ]]; then _@ID@ \"$@\"; else compdef _@ID@ @PROGRAM@; fi\n",
                       program);
}

namespace {

constexpr const char* kFish = R"sh(# Completion for fish; printed by `@PROGRAM@ completion fish`.
function __@ID@_in
    set -l path ''
    for word in (commandline -opc)[2..]
        if contains -- "$path $word" @COMMANDS@
            set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end
complete -c @PROGRAM@ -f
)sh";

std::string fish_value(const OptionShape& option) {
  switch (option.kind) {
    case ValueKind::none:
      return option.value.empty() ? "" : " -x";
    case ValueKind::choice:
      return fmt::format(" -x -a {}", quoted(fmt::format("{}", fmt::join(option.choices, " "))));
    case ValueKind::file:
      return " -r -F";
    case ValueKind::directory:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::study:
      return " -x -a '(path basename $HYSCALE_STORE/studies/* hyscale-store/studies/* 2>/dev/null)'";
  }
  return "";
}

std::string fish_names(const OptionShape& option) {
  std::string text;
  for (const std::string& name : option.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  return text;
}

}  // namespace

std::string fish_completion(const CommandShape& program) {
  const std::vector<Place> places = places_of(program);
  std::string text = replaced(kFish, "@COMMANDS@", command_pattern(places, " "));
  for (const Place& place : places) {
    const std::string begin = fmt::format("complete -c @PROGRAM@ -n '__@ID@_in \"{}\"'", place.path);
    for (const CommandShape& below : place.command->commands)
      text += fmt::format("{} -a {} -d {}\n", begin, below.name, quoted(below.description));
    for (const OptionShape& option : place.command->options)
      text += fmt::format("{}{}{} -d {}\n", begin, fish_names(option), fish_value(option), quoted(option.description));
    for (const OptionShape& positional : place.command->positionals) {
      const std::string value = fish_value(positional);
      text += begin + (positional.kind == ValueKind::file ? " -F" : replaced(value, " -x", "")) + "\n";
    }
  }
  return filled(std::move(text), program);
}

}  // namespace hyscale
