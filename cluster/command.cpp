#include "cluster/command.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/spawn.h"
#include "core/base/clock.h"
#include "core/base/error.h"

namespace hyscale::cluster {
namespace {

constexpr int kTookTooLong = 124;

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw IoError({.what = fmt::format("cannot make a pipe: {}", std::strerror(errno))});
  }
  ~Pipe() { close(0), close(1); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close(size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

/// Appends what can be read; closes the pipe at its end.
void take_in(Pipe& pipe, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t n = ::read(pipe.ends[0], buffer.data(), buffer.size());
  if (n > 0)
    text.append(buffer.data(), static_cast<size_t>(n));
  else if (n == 0 || errno != EINTR)
    pipe.close(0);
}

/// False: time is up before both have ended.
bool read_both(Pipe& out, Pipe& err, CommandOutput& said, double seconds) {
  const Clock& clock = Clock::system();
  const double until = clock.steady_seconds() + seconds;
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    std::array<pollfd, 2> watched{pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0}};
    const double left = until - clock.steady_seconds();
    if (left <= 0) return false;
    ::poll(watched.data(), watched.size(), static_cast<int>(left * 1000) + 1);
    if (watched[0].revents != 0) take_in(out, said.out);
    if (watched[1].revents != 0) take_in(err, said.err);
  }
  return true;
}

}  // namespace

CommandOutput run_command(const std::vector<std::string>& argv, const CommandOptions& options) {
  CommandOutput said;
  Pipe out, err;
  pid_t child = 0;
  try {
    child = spawn(argv, {.lock_descriptor = options.lock_descriptor,
                         .output_descriptor = out.ends[1],
                         .error_descriptor = err.ends[1]});
  } catch (const IoError& error) {
    return {.exit_code = kNoSuchProgram, .err = error.what()};
  }
  out.close(1), err.close(1);
  const bool in_time = read_both(out, err, said, options.seconds);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  said.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (!in_time) {
    said.exit_code = kTookTooLong;
    said.err += fmt::format("{} did not answer in {:.0f} s\n", argv[0], options.seconds);
  }
  return said;
}

}  // namespace hyscale::cluster
