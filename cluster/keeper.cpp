#include "cluster/keeper.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/command.h"
#include "cluster/job_files.h"
#include "cluster/spawn.h"
#include "core/base/error.h"

namespace hyscale::cluster {
namespace {

JobEnd wait_for(pid_t worker) {
  int status = 0;
  while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {.exit_code = 128 + WTERMSIG(status), .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status)};
}

JobEnd run_worker(const JobFiles& files) {
  try {
    const Job command = read_command(files);
    if (!command.working_directory.empty() && ::chdir(command.working_directory.c_str()) != 0)
      throw IoError({.what = "cannot enter " + command.working_directory});
    // The worker inherits descriptor 3, and with it the lock: should the keeper be killed, the job still counts as
    // running until the worker is gone too.
    const pid_t worker = spawn(command.argv, {});
    const auto identity = find_process(worker).value_or(ProcessIdentity{worker, 0});
    write_processes(files, {.keeper = this_process(), .worker = identity, .host = host_name()});
    return wait_for(worker);
  } catch (const Error& error) {
    std::fprintf(stderr, "study: %s\n", error.what());
    return {.exit_code = kNoSuchProgram};
  }
}

}  // namespace

int keep_job(const std::string& directory) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) std::signal(number, SIG_IGN);
  const JobFiles files{directory};
  write_end(files, run_worker(files));
  return 0;
}

}  // namespace hyscale::cluster
