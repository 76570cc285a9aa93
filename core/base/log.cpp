#include "core/base/log.h"

#include <cstdio>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace hyscale {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_color_mt("hyscale");
    made->set_pattern(is_terminal(STDERR_FILENO) ? "%^%v%$" : "%Y-%m-%dT%H:%M:%S %v");
    return made;
  }();
  return *instance;
}

}  // namespace

namespace log {
void info(const std::string& line) { logger().log(spdlog::level::info, spdlog::string_view_t(line)); }
void warn(const std::string& line) { logger().log(spdlog::level::warn, spdlog::string_view_t("warning: " + line)); }
void set_quiet(bool quiet) { logger().set_level(quiet ? spdlog::level::warn : spdlog::level::info); }
}  // namespace log

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

ProgressLine::ProgressLine() : visible_(is_terminal(STDERR_FILENO)) {}
ProgressLine::~ProgressLine() {
  if (drawn_) std::fputc('\n', stderr);
}
void ProgressLine::show(const std::string& text) {
  if (!visible_) return;
  winsize size{};
  const size_t width = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
  const std::string shown = text.size() < width ? text : text.substr(0, width - 1);
  std::fprintf(stderr, "\r\033[K%s", shown.c_str());
  std::fflush(stderr);
  drawn_ = true;
}
void ProgressLine::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace hyscale
