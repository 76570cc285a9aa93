#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hyscale::cluster {

/// The directory of one job array (docs/formats.md). Its last part is the job's name for Slurm, which no other job has:
/// by it an array is found again whose submitter died before it could write the id down.
struct BatchFiles {
  std::string directory = {};
  std::string script() const { return directory + "/job.sh"; }
  std::string tasks() const { return directory + "/tasks.json"; }
  std::string submitted() const { return directory + "/submitted.json"; }  // written once Slurm has taken the array
  std::string output() const { return directory + "/task-%a.txt"; }        // what the script itself says
  std::string output(int64_t index) const { return directory + "/task-" + std::to_string(index) + ".txt"; }
  std::string name() const { return directory.substr(directory.rfind('/') + 1); }
};

/// Whether a job's name is that of an array of the study with this label.
bool is_array_of(const std::string& label, const std::string& name);

/// Held from the first reservation of a launch until Slurm has its last array, by the submitter and by each sbatch.
inline std::string submitting_lock(const std::string& directory) { return directory + "/submitting.lock"; }

/// Job directories by array index.
struct TaskList {
  std::map<int64_t, std::vector<std::string>> jobs = {};
  int64_t side_by_side = 1;
};
void write_tasks(const BatchFiles& files, const TaskList& tasks);
TaskList read_tasks(const BatchFiles& files);  // throws IoError, DamagedFile

struct Submitted {
  int64_t job = 0;        // Slurm's id; 0: it was asked and has not said whether it took the array
  double time = 0;        // unix seconds
  int64_t throttle = 0;   // tasks at the same time; 0: all
  double controller = 0;  // start of the last controller that was seen to have it (unix seconds); 0: not known
};
void write_submitted(const BatchFiles& files, const Submitted& submitted);
std::optional<Submitted> read_submitted(const BatchFiles& files);  // nullopt while it is not there

/// Where a job is: written into its directory before its array is submitted.
struct JobPlace {
  std::string batch = {};  // directory of the array
  int64_t index = 0;
  std::string cluster = {};  // Slurm's name for it
};
void write_place(const std::string& job_directory, const JobPlace& place);
std::optional<JobPlace> read_place(const std::string& job_directory);  // nullopt while it is not there

}  // namespace hyscale::cluster
