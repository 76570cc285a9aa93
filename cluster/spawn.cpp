#include "cluster/spawn.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include "cluster/job_files.h"
#include "core/base/error.h"

namespace hyscale::cluster {
namespace {

struct Actions {
  posix_spawn_file_actions_t value;
  Actions() { posix_spawn_file_actions_init(&value); }
  ~Actions() { posix_spawn_file_actions_destroy(&value); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
};

struct Attributes {
  posix_spawnattr_t value;
  Attributes() { posix_spawnattr_init(&value); }
  ~Attributes() { posix_spawnattr_destroy(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
};

void redirect(Actions& actions, const SpawnOptions& options) {
  posix_spawn_file_actions_addopen(&actions.value, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!options.output.empty()) {
    posix_spawn_file_actions_addopen(&actions.value, STDOUT_FILENO, options.output.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions.value, STDOUT_FILENO, STDERR_FILENO);
  }
  if (options.output_descriptor >= 0)
    posix_spawn_file_actions_adddup2(&actions.value, options.output_descriptor, STDOUT_FILENO);
  if (options.error_descriptor >= 0)
    posix_spawn_file_actions_adddup2(&actions.value, options.error_descriptor, STDERR_FILENO);
  if (options.lock_descriptor >= 0)
    posix_spawn_file_actions_adddup2(&actions.value, options.lock_descriptor, kLockDescriptor);
}

}  // namespace

pid_t spawn(const std::vector<std::string>& argv, const SpawnOptions& options) {
  Actions actions;
  redirect(actions, options);
  Attributes attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes.value, &none);
  posix_spawnattr_setsigdefault(&attributes.value, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes.value, static_cast<short>(flags));

  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0], &actions.value, &attributes.value, arguments.data(), environ);
  if (error != 0)
    throw IoError({.what = fmt::format("cannot start {}: {}", argv[0], std::strerror(error)),
                   .remedy = "check that the program is there and may be executed"});
  return pid;
}

void spawn_detached(const std::vector<std::string>& argv, const std::string& output) {
  spawn(argv, {.output = output, .new_session = true});
}

}  // namespace hyscale::cluster
