#include "cluster/slurm_arrays.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

namespace hyscale::cluster {
namespace {

struct Seat {
  size_t array = 0;
  int64_t index = 0;
};

class Grouping {
 public:
  Grouping(const std::vector<Job>& jobs, const std::map<std::string, SlurmTask>& known, const ArrayLimits& limits)
      : jobs_(jobs), known_(known), limits_(limits) {}

  ArrayPlans group() {
    for (size_t j = 0; j < jobs_.size(); ++j)
      if (jobs_[j].after.empty()) seat_in_turn(j);
    for (size_t j = 0; j < jobs_.size(); ++j)
      if (!jobs_[j].after.empty()) seat_behind_trunk(j);
    return std::move(plans_);
  }

 private:
  /// The next free place in the last array of its shape.
  void seat_in_turn(size_t j) {
    const auto room = static_cast<size_t>(limits_.jobs_per_task);
    auto last = last_of_shape_.find(jobs_[j].shape);
    if (last == last_of_shape_.end()) last = last_of_shape_.emplace(jobs_[j].shape, add(jobs_[j].shape)).first;
    const auto filled = [&] { return static_cast<int64_t>(plans_.arrays[last->second].tasks.size()); };
    int64_t index = std::max<int64_t>(filled() - 1, 0);
    if (plans_.arrays[last->second].tasks[index].size() >= room) ++index;
    if (index >= limits_.max_array_size) last->second = add(jobs_[j].shape), index = 0;
    put(j, {last->second, index});
  }

  /// The trunk's index in the first array behind the trunk's that has room there.
  void seat_behind_trunk(size_t j) {
    const std::string& trunk = jobs_[j].after;
    const auto fresh = seats_.find(trunk);
    const auto before = known_.find(trunk);
    if (fresh == seats_.end() && before == known_.end()) return plans_.without_trunk.push_back(j);
    const int plan = fresh != seats_.end() ? static_cast<int>(fresh->second.array) : -1;
    const int64_t job = plan < 0 ? before->second.job : 0;
    const int64_t index = plan >= 0 ? fresh->second.index : before->second.index;
    auto& arrays = behind_[{jobs_[j].shape, plan, job}];
    const auto has_room = [&](size_t a) {
      const auto task = plans_.arrays[a].tasks.find(index);
      return task == plans_.arrays[a].tasks.end() || task->second.size() < static_cast<size_t>(limits_.jobs_per_task);
    };
    auto found = std::find_if(arrays.begin(), arrays.end(), has_room);
    if (found == arrays.end()) {
      const size_t a = add(jobs_[j].shape);
      plans_.arrays[a].after_plan = plan, plans_.arrays[a].after_job = job;
      found = arrays.insert(arrays.end(), a);
    }
    put(j, {*found, index});
  }

  size_t add(const JobShape& shape) {
    plans_.arrays.push_back({.shape = shape});
    return plans_.arrays.size() - 1;
  }
  void put(size_t j, const Seat& seat) {
    plans_.arrays[seat.array].tasks[seat.index].push_back(j);
    seats_[jobs_[j].directory] = seat;
  }

  const std::vector<Job>& jobs_;
  const std::map<std::string, SlurmTask>& known_;
  const ArrayLimits& limits_;
  ArrayPlans plans_;
  std::map<std::string, Seat> seats_;
  std::map<JobShape, size_t> last_of_shape_;
  std::map<std::tuple<JobShape, int, int64_t>, std::vector<size_t>> behind_;
};

}  // namespace

static void share(std::vector<ArrayPlan>& arrays, int64_t ceiling) {
  const auto lanes = static_cast<int64_t>(std::min<size_t>(arrays.size(), static_cast<size_t>(ceiling)));
  std::vector<int64_t> work(static_cast<size_t>(lanes), 0);  // tasks of a lane
  for (size_t a = 0; a < arrays.size(); ++a) {
    const size_t lane = a % work.size();
    work[lane] += static_cast<int64_t>(arrays[a].tasks.size());
    if (a >= work.size()) arrays[a].behind.push_back(static_cast<int>(a - work.size()));
  }
  const int64_t all = std::accumulate(work.begin(), work.end(), int64_t{0});
  std::vector<int64_t> shares(work.size(), 1);
  int64_t left = ceiling - lanes;
  for (size_t lane = 0; lane < work.size(); ++lane) {
    const int64_t more = (ceiling - lanes) * work[lane] / all;
    shares[lane] += more, left -= more;
  }
  for (size_t lane = 0; left > 0; lane = (lane + 1) % work.size()) ++shares[lane], --left;
  for (size_t a = 0; a < arrays.size(); ++a) arrays[a].throttle = shares[a % work.size()];
}

void set_throttles(std::vector<ArrayPlan>& arrays, int64_t ceiling, int64_t taken) {
  if (ceiling <= 0 || arrays.empty()) return;
  int64_t tasks = 0;
  for (const ArrayPlan& array : arrays) tasks += static_cast<int64_t>(array.tasks.size());
  const int64_t room = ceiling - taken;
  if (room >= std::min(tasks, (ceiling + 1) / 2)) return share(arrays, room);
  share(arrays, ceiling);
  for (ArrayPlan& array : arrays) array.behind_earlier = true;
}

ArrayPlans plan_arrays(const std::vector<Job>& jobs, const std::map<std::string, SlurmTask>& known,
                       const ArrayLimits& limits) {
  ArrayPlans plans = Grouping(jobs, known, limits).group();
  set_throttles(plans.arrays, limits.ceiling, limits.taken);
  return plans;
}

}  // namespace hyscale::cluster
