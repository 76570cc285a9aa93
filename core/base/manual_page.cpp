#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/command_line.h"

namespace hyscale {
namespace {

/// Text for roff: its control characters lose their meaning, and what is not ASCII is written by code point, so that
/// the page does not depend on the reader's encoding.
std::string escaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool line_start = out.empty() || out.back() == '\n';
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && line_start)
      out += fmt::format("\\&{}", text[i]);
    else if (c < 0x80)
      out += text[i];
    else {
      const size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
      uint32_t point = c & (0x3fu >> more);
      for (size_t k = 1; k <= more && i + k < text.size(); ++k)
        point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
      i += more;
      out += fmt::format("\\[u{:04X}]", point);
    }
  }
  return out;
}

std::string value_text(const OptionShape& option) {
  if (!option.choices.empty()) return escaped(fmt::format("{}", fmt::join(option.choices, "|")));
  return fmt::format("\\fI{}\\fR{}", escaped(option.value), option.repeats ? "\\ \\[u2026]" : "");
}

std::string term(const OptionShape& option) {
  std::string text;
  for (const std::string& name : option.names)
    text += fmt::format("{}\\fB{}\\fR", text.empty() ? "" : ", ", escaped(name));
  if (option.value.empty()) return text;
  return text + (text.empty() ? "" : " ") + value_text(option);
}

std::string entry(const OptionShape& option) {
  return fmt::format(".TP\n{}\n{}{}\n", term(option), escaped(option.description),
                     option.required && !option.names.empty() ? " (required)" : "");
}

std::string synopsis(const std::string& call, const CommandShape& command) {
  std::string text = fmt::format("\\fB{}\\fR", escaped(call));
  for (const OptionShape& option : command.options)
    if (option.required) text += " " + term(option);
  if (!command.options.empty()) text += " [\\fIoptions\\fR]";
  for (const OptionShape& positional : command.positionals)
    text += " " + (positional.required ? value_text(positional) : "[" + value_text(positional) + "]");
  if (!command.commands.empty()) text += " \\fIcommand\\fR";
  return text;
}

std::string details(const CommandShape& command) {
  std::string text;
  for (const OptionShape& positional : command.positionals) text += entry(positional);
  for (const OptionShape& option : command.options) text += entry(option);
  return text;
}

std::string example(const std::string& footer) {
  return footer.empty() ? "" : fmt::format(".PP\n.nf\n{}\n.fi\n", escaped(footer));
}

// Commands that only hold others give way to them.
void add_commands(std::string& text, const CommandShape& above, const std::string& call) {
  for (const CommandShape& command : above.commands) {
    const std::string whole = call + " " + command.name;
    if (command.commands.empty())
      text += fmt::format(".SS {}\n{}\n.PP\n{}.\n{}{}", escaped(whole.substr(whole.find(' ') + 1)),
                          synopsis(whole, command), escaped(command.description), details(command),
                          example(command.footer));
    add_commands(text, command, whole);
  }
}

std::string in_capitals(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::string pairs(const std::string& title, const std::vector<std::pair<std::string, std::string>>& list) {
  std::string text = list.empty() ? "" : fmt::format(".SH {}\n", title);
  for (const auto& [name, meaning] : list)
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(name), escaped(meaning));
  return text;
}

}  // namespace

std::string manual_page(const CommandShape& program, const ManualNotes& notes, const std::string& version) {
  std::string description = program.description;
  while (description.ends_with('.')) description.pop_back();
  std::string commands;
  add_commands(commands, program, program.name);
  return fmt::format(".TH {} 1 \"\" \"Hyscale {}\" \"Hyscale\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}\n",
                     escaped(in_capitals(program.name)), escaped(version), escaped(program.name), escaped(description),
                     synopsis(program.name, program)) +
         ".SH OPTIONS\n" + details(program) + ".SH COMMANDS\n" + commands + ".SH EXAMPLES\n" + example(program.footer) +
         pairs("EXIT STATUS", notes.exit_status) + pairs("ENVIRONMENT", notes.environment);
}

}  // namespace hyscale
