#include "scheduler/watch_table.h"

#include <cstdio>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "scheduler/run_state.h"

namespace hyscale::scheduler {
namespace {

constexpr const char* kHeader =
    "run           family               size  seed     FLOPs  state      step            loss     tokens/s  ETA      "
    "cost so far";

std::string step_text(const RunStanding& r) {
  return r.status ? fmt::format("{}/{}", r.status->step, r.status->steps) : "";
}

std::string row(const RunStanding& r, const Standing& s) {
  const bool trains = r.status && r.status->tokens_per_second > 0;
  return fmt::format("{:<12}  {:<18} {:>6}  {:>4}  {:>8.2e}  {:<9}  {:<14}  {:<7}  {:>8}  {:<7}  {}",
                     short_id(r.run.run_id), r.cell.family, r.cell.size, r.cell.seed, r.cell.budget, r.run.state,
                     step_text(r), trains ? fmt::format("{:.4f}", r.status->loss) : "",
                     trains ? fmt::format("{:.0f}", r.status->tokens_per_second) : "",
                     trains ? format_duration(r.status->eta_seconds) : "", cost_text(busy_seconds(r), s));
}

std::string trouble(const RunStanding& r) {
  return fmt::format("{:<12}  {:<18} {:>6}  {:>4}  {:>8.2e}  {:<9}  {}", short_id(r.run.run_id), r.cell.family,
                     r.cell.size, r.cell.seed, r.cell.budget, r.run.state, r.run.cause);
}

/// Cut to the screen's width between two characters of UTF-8.
std::string fitted(std::string line, size_t columns) {
  if (line.size() < columns) return line;
  line.resize(columns > 0 ? columns - 1 : 0);
  while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U) line.pop_back();
  if (!line.empty() && static_cast<unsigned char>(line.back()) >= 0xC0U) line.pop_back();
  return line;
}

}  // namespace

std::vector<std::string> watch_table(const Standing& s, const Screen& screen) {
  std::vector<std::string> lines{fmt::format("{}: {}", s.study, summary_line(s))}, running, waiting, ended;
  for (const RunStanding& r : s.runs) {
    const RunState state = state_of(r.run);
    if (state == RunState::running) running.push_back(row(r, s));
    if (state == RunState::submitted) waiting.push_back(row(r, s));
    if (is_final(state) && state != RunState::done) ended.push_back(trouble(r));
  }
  if (running.size() + waiting.size() > 0) lines.emplace_back(kHeader);
  constexpr size_t kMargin = 2;  // the line that says how many are left out, and the cursor's
  size_t left_out = 0;
  for (const auto* group : {&running, &ended, &waiting})
    for (const std::string& line : *group)
      if (lines.size() + kMargin < screen.rows)
        lines.push_back(line);
      else
        ++left_out;
  if (left_out > 0) lines.push_back(fmt::format("... and {} more: study status {} --all", left_out, s.study));
  for (std::string& line : lines) line = fitted(std::move(line), screen.columns);
  return lines;
}

LiveTable::LiveTable() : visible_(is_terminal(STDERR_FILENO)) {}

Screen LiveTable::screen() const {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

void LiveTable::show(const std::vector<std::string>& lines) {
  if (!visible_) return;
  std::string text = drawn_ > 0 ? fmt::format("\033[{}A", drawn_) : "";
  for (const std::string& line : lines) text += "\r\033[K" + line + "\n";
  text += "\033[J";
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  drawn_ = lines.size();
}

void LiveTable::clear() {
  if (drawn_ > 0) std::fprintf(stderr, "\033[%zuA\033[J", drawn_);
  drawn_ = 0;
}

}  // namespace hyscale::scheduler
