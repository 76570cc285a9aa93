#pragma once

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace hyscale {

/// What a value is, as far as a shell can complete it.
enum class ValueKind { none, choice, file, directory, study };

/// An option or positional argument as completion and manual show it.
struct OptionShape {
  std::vector<std::string> names;  // "-h", "--help"; empty: a positional argument
  std::string value;               // "DIR", "INT"; empty: a flag
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices;  // the only values, when kind is choice
  std::string description;
  bool required = false;
  bool repeats = false;
};

/// A command with all below it; a program is the outermost one.
struct CommandShape {
  std::string name, description, footer;
  std::vector<OptionShape> options, positionals;
  std::vector<CommandShape> commands;
};

/// The command line that `app` defines, hidden commands left out. A command that passes unknown options on to the
/// one above it has that one's options too.
CommandShape shape_of(const CLI::App& app, const std::string& program);

/// What the manual says beside the commands.
struct ManualNotes {
  std::vector<std::pair<std::string, std::string>> exit_status;  // "0", "done"
  std::vector<std::pair<std::string, std::string>> environment;  // "HYSCALE_STORE", "where …"
};

/// A roff page of section 1.
std::string manual_page(const CommandShape& program, const ManualNotes& notes, const std::string& version);

std::string bash_completion(const CommandShape& program);
std::string zsh_completion(const CommandShape& program);
std::string fish_completion(const CommandShape& program);

/// Adds the commands `completion bash|zsh|fish` and `manual`, which print the above for the program's own command line.
/// `app` must outlive its parsing; commands added later are shown too.
void add_shell_commands(CLI::App& app, const std::string& program, ManualNotes notes);

}  // namespace hyscale
