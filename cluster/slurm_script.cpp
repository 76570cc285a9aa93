#include "cluster/slurm_script.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace hyscale::cluster {
namespace {

/// Neither sbatch nor the shell reads anything into these characters.
bool is_plain(const std::string& text) {
  constexpr const char* kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-+=:,@[]&|()*<>%";
  return text.find_first_not_of(kPlain) == std::string::npos;
}

class Lines {
 public:
  void option(const std::string& name, const std::string& value) {
    if (value.empty()) return;
    if (!is_plain(value))
      throw ConfigError({.what = fmt::format("--{}={} cannot stand in a batch script", name, value),
                         .why = "sbatch reads quotes and spaces in its own way",
                         .remedy = "use letters, digits and ._/-+=:,@ only; move the store if it is a path"});
    text_ += fmt::format("#SBATCH --{}={}\n", name, value);
  }
  void flag(const std::string& name) { text_ += fmt::format("#SBATCH --{}\n", name); }
  void line(const std::string& text) { text_ += text + "\n"; }
  std::string text() const { return text_; }

 private:
  std::string text_ = "#!/bin/bash\n";
};

/// In single quotes nothing is read by a shell.
std::string quoted(const std::string& text) {
  std::string inside;
  for (const char c : text) inside += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + inside + "'";
}

void write_resources(Lines& lines, const SlurmOptions& o, const JobShape& shape) {
  lines.option("nodes", std::to_string(shape.nodes));
  lines.option("ntasks", std::to_string(shape.tasks * o.side_by_side));
  lines.option("cpus-per-task", std::to_string(shape.cpus_per_task));
  if (shape.gpus > 0) {
    const int per_node = (shape.gpus + shape.nodes - 1) / shape.nodes;
    lines.option("gres", fmt::format("gpu:{}{}{}", o.gpu_type, o.gpu_type.empty() ? "" : ":", per_node));
  }
  if (o.seconds > 0) lines.option("time", slurm_time(o.seconds));
}

void write_place(Lines& lines, const SlurmOptions& o, const std::string& partition) {
  lines.option("partition", partition);
  lines.option("account", o.account);
  lines.option("qos", o.qos);
  lines.option("constraint", o.constraint);
}

void write_end_of_options(Lines& lines, const SlurmOptions& o, const std::string& when_lost = "requeue") {
  lines.option("open-mode", "append");
  lines.flag(when_lost);
  lines.option("kill-on-invalid-dep", "yes");
  for (const std::string& extra : o.extra) lines.line("#SBATCH " + extra);
  lines.line("");
}

void write_prologue(Lines& lines, const SlurmOptions& o) {
  if (o.modules.empty() && o.prologue.empty()) return;
  lines.line("set -e  # a task whose surroundings are not as asked for must not start");
  for (const std::string& module : o.modules) lines.line("module load " + quoted(module));
  for (const std::string& line : o.prologue) lines.line(line);
  lines.line("");
}

std::string exec_line(const std::vector<std::string>& argv) {
  std::string command = "exec";
  for (const std::string& word : argv) command += " " + quoted(word);
  return command;
}

}  // namespace

std::string slurm_time(int64_t seconds) {
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string dependency(int64_t after, const std::vector<int64_t>& behind) {
  std::string text = after > 0 ? fmt::format("aftercorr:{}", after) : "";
  if (!behind.empty()) text += fmt::format("{}afterany:{}", text.empty() ? "" : ",", fmt::join(behind, ":"));
  return text;
}

std::string slurm_script(const SlurmOptions& o, const BatchFiles& files, const ArrayPlan& array) {
  Lines lines;
  lines.option("job-name", files.name());
  std::vector<int64_t> indices;
  for (const auto& [index, jobs] : array.tasks) indices.push_back(index);
  lines.option("array", to_ranges(indices) + (array.throttle > 0 ? fmt::format("%{}", array.throttle) : ""));
  write_place(lines, o, o.partition);
  write_resources(lines, o, array.shape);
  lines.option("output", files.output());
  if (o.signal_seconds > 0) lines.option("signal", fmt::format("B:USR1@{}", o.signal_seconds));
  write_end_of_options(lines, o);
  write_prologue(lines, o);
  lines.line(
      "# The keeper runs what tasks.json beside this script names for this task. It takes the shell's place, so");
  lines.line("# that it gets the shell's signals and hands them on to the ranks.");
  std::vector<std::string> command = o.keeper;
  command.push_back(files.directory);
  lines.line(exec_line(command));
  return lines.text();
}

std::string follow_up_script(const SlurmOptions& o, const BatchFiles& files, const FollowUp& job) {
  constexpr int64_t kMostSeconds = 3600;
  Lines lines;
  lines.option("job-name", files.name());
  write_place(lines, o, job.partition.empty() ? o.partition : job.partition);
  lines.option("ntasks", "1");
  if (o.seconds > 0) lines.option("time", slurm_time(std::min(o.seconds, kMostSeconds)));
  lines.option("output", files.directory + "/output.txt");
  write_end_of_options(lines, o);
  write_prologue(lines, o);
  lines.line("# Starts when every array of the study has ended; reads run directories, no database.");
  lines.line(exec_line(job.argv));
  return lines.text();
}

std::string one_job_script(const SlurmOptions& options, const BatchFiles& files, const JobShape& shape,
                           const std::vector<std::string>& argv) {
  constexpr int64_t kMostSeconds = 600;
  SlurmOptions o = options;
  o.seconds = o.seconds > 0 ? std::min(o.seconds, kMostSeconds) : kMostSeconds;
  o.side_by_side = 1;
  Lines lines;
  lines.option("job-name", files.name());
  write_place(lines, o, o.partition);
  write_resources(lines, o, shape);
  lines.option("output", files.directory + "/output.txt");
  write_end_of_options(lines, o, "no-requeue");
  write_prologue(lines, o);
  lines.line(exec_line(argv));
  return lines.text();
}

}  // namespace hyscale::cluster
