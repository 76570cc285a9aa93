#include "parallel/mpi_collective.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <mpi.h>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"

namespace hyscale::parallel {
namespace {

constexpr std::chrono::seconds kFirstRanksTurn(3);  // a launcher that sees a rank fail ends the others within it

constexpr std::chrono::microseconds kPoll(50);

int environment_number(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::atoi(value);
}

/// Sums are made here and not in MPI, so that their order (rank 0 first) is the same in every library.
class MpiCollective final : public Collective {
 public:
  /// Of all ranks, or of those with the same `colour`, in their order in the world. Lives until MPI ends.
  MpiCollective(Watchdog* dog, Waits& waits) : MpiCollective(MPI_COMM_WORLD, dog, waits) {}
  MpiCollective(int colour, Watchdog* dog, Waits& waits) : MpiCollective(part_of_world(colour), dog, waits) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void barrier() override {
    call("barrier", [&] { return MPI_Barrier(ranks_); });
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    constexpr size_t kPiece = size_t{1} << 30;  // MPI counts are ints
    for (size_t at = 0; at < bytes.size(); at += kPiece) {
      const auto piece = bytes.subspan(at, std::min(kPiece, bytes.size() - at));
      call("broadcast",
           [&] { return MPI_Bcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, root, ranks_); });
    }
  }
  void all_reduce_sum(std::span<float> values) override {
    const size_t ranks = static_cast<size_t>(size_), shard = (values.size() + ranks - 1) / ranks;
    std::vector<float> padded(shard * ranks, 0.0f);
    std::copy(values.begin(), values.end(), padded.begin());
    reduce_scatter_sum(padded);
    all_gather(padded);
    std::copy_n(padded.begin(), values.size(), values.begin());
  }
  void all_reduce_sum(std::span<double> values) override {
    std::vector<double> all(values.size() * static_cast<size_t>(size_));
    const int n = count(values.size());
    call("all-reduce", [&] { return MPI_Allgather(values.data(), n, MPI_DOUBLE, all.data(), n, MPI_DOUBLE, ranks_); });
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = all[i];
      for (size_t r = 1; r < static_cast<size_t>(size_); ++r) values[i] += all[r * values.size() + i];
    }
  }
  void all_reduce_max(std::span<int64_t> values) override { maximum(values, MPI_INT64_T); }
  void all_reduce_max(std::span<float> values) override { maximum(values, MPI_FLOAT); }
  void all_reduce_max(std::span<double> values) override { maximum(values, MPI_DOUBLE); }
  void reduce_scatter_sum(std::span<float> values) override {
    const size_t shard = shard_of(values.size());
    received_.resize(values.size());
    const int n = count(shard);
    call("reduce-scatter",
         [&] { return MPI_Alltoall(values.data(), n, MPI_FLOAT, received_.data(), n, MPI_FLOAT, ranks_); });
    float* mine = values.data() + shard * static_cast<size_t>(rank_);
    std::copy_n(received_.data(), shard, mine);
    for (size_t r = 1; r < static_cast<size_t>(size_); ++r)
      for (size_t i = 0; i < shard; ++i) mine[i] += received_[r * shard + i];
  }
  void reduce_scatter_sum(std::span<float> values, std::span<const size_t> ends) override {
    const auto ranks = static_cast<size_t>(size_), self = static_cast<size_t>(rank_);
    const auto begin = [&](size_t r) { return r == 0 ? size_t{0} : ends[r - 1]; };
    const size_t mine = ends[self] - begin(self);
    received_.resize(mine * ranks);
    std::vector<int> sent(ranks), sent_at(ranks), got(ranks, count(mine)), got_at(ranks);
    for (size_t r = 0; r < ranks; ++r) {
      sent[r] = count(ends[r] - begin(r)), sent_at[r] = count(begin(r));
      got_at[r] = count(r * mine);
    }
    call("reduce-scatter", [&] {
      MPI_Request request{};
      int done = 0, code = MPI_Ialltoallv(values.data(), sent.data(), sent_at.data(), MPI_FLOAT, received_.data(),
                                          got.data(), got_at.data(), MPI_FLOAT, ranks_, &request);
      while (code == MPI_SUCCESS && done == 0) {
        code = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done == 0) std::this_thread::sleep_for(kPoll);  // whoever computes meanwhile needs the core
      }
      return code;
    });
    float* own = values.data() + begin(self);
    std::copy_n(received_.data(), mine, own);
    for (size_t r = 1; r < ranks; ++r)
      for (size_t i = 0; i < mine; ++i) own[i] += received_[r * mine + i];
  }
  void all_gather(std::span<float> values) override {
    const int n = count(shard_of(values.size()));
    call("all-gather",
         [&] { return MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values.data(), n, MPI_FLOAT, ranks_); });
  }

 private:
  MpiCollective(MPI_Comm ranks, Watchdog* dog, Waits& waits) : ranks_(ranks), dog_(dog), waits_(waits) {
    MPI_Comm_set_errhandler(ranks_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(ranks_, &rank_);
    MPI_Comm_size(ranks_, &size_);
    MPI_Comm_rank(MPI_COMM_WORLD, &world_rank_);
    name_ = name();
  }
  /// "all 4 ranks", "ranks 0, 2"
  std::string name() const {
    int world = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    if (size_ == world) return fmt::format("all {} ranks", size_);
    std::vector<int> members(static_cast<size_t>(size_));
    MPI_Allgather(&world_rank_, 1, MPI_INT, members.data(), 1, MPI_INT, ranks_);
    return fmt::format("ranks {}", fmt::join(members, ", "));
  }
  static MPI_Comm part_of_world(int colour) {
    MPI_Comm part{};
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, colour, rank, &part);
    return part;
  }
  template <class T>
  void maximum(std::span<T> values, MPI_Datatype type) {
    call("all-reduce",
         [&] { return MPI_Allreduce(MPI_IN_PLACE, values.data(), count(values.size()), type, MPI_MAX, ranks_); });
  }
  size_t shard_of(size_t all) const {
    if (all % static_cast<size_t>(size_) != 0)
      throw ShapeError(fmt::format("{} values do not split into {} equal shards", all, size_));
    return all / static_cast<size_t>(size_);
  }
  int count(size_t values) const {
    if (values > INT_MAX) throw ShapeError(fmt::format("{} values are more than one MPI call can carry", values));
    return static_cast<int>(values);
  }
  template <class F>
  void call(const char* operation, F&& mpi) const {
    const Watchdog::Waiting waiting(dog_, operation, name_);
    const double begin = Clock::system().steady_seconds();
    const int code = mpi();
    if (waits_.delay > 0) Clock::system().sleep(waits_.delay);
    waits_.seconds += Clock::system().steady_seconds() - begin;
    if (code == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    throw Error(ExitCode::failed, {{.what = fmt::format("rank {}: {} failed: {}", world_rank_, operation, text.data()),
                                    .remedy = "another rank has probably ended; look for its message"}});
  }

  MPI_Comm ranks_;
  Watchdog* dog_;  // null: nobody watches
  Waits& waits_;
  int rank_ = 0, size_ = 1, world_rank_ = 0;
  std::string name_;
  std::vector<float> received_;
};

/// For each rank of the world the lowest rank on its host.
std::vector<int> first_ranks_on_hosts() {
  MPI_Comm host{};
  int size = 1, first = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &first);
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  MPI_Bcast(&first, 1, MPI_INT, 0, host);
  MPI_Comm_free(&host);
  std::vector<int> hosts(static_cast<size_t>(size));
  MPI_Allgather(&first, 1, MPI_INT, hosts.data(), 1, MPI_INT, MPI_COMM_WORLD);
  return hosts;
}

std::string library_name() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string name(text.data(), static_cast<size_t>(length));
  return name.substr(0, name.find_first_of(",\n"));
}

}  // namespace

bool launched_by_mpi() {
  for (const char* size : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (std::getenv(size) != nullptr) return environment_number(size) > 1;
  const bool process_manager = std::getenv("PMIX_RANK") != nullptr || std::getenv("PMI_RANK") != nullptr;
  return process_manager && (std::getenv("SLURM_NTASKS") == nullptr || environment_number("SLURM_NTASKS") > 1);
}

static int launcher_rank() {
  for (const char* rank : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"})
    if (std::getenv(rank) != nullptr) return environment_number(rank);
  return 0;
}

void await_turn_to_fail() {
  int begun = 0;
  MPI_Initialized(&begun);
  if (begun == 0 && launched_by_mpi() && launcher_rank() > 0) std::this_thread::sleep_for(kFirstRanksTurn);
}

World::World(double hang_limit) : mpi_(launched_by_mpi()), hang_limit_(hang_limit) {
  if (!mpi_) {
    ranks_ = std::make_unique<SelfCollective>();
    return;
  }
  dog_ = std::make_unique<Watchdog>(launcher_rank(), hang_limit);
  {
    const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
    const std::string all = fmt::format("{} ranks", size != nullptr ? size : "all");
    const Watchdog::Waiting waiting(dog_.get(), Watchdog::kStart, all);
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
    threads_ = provided == MPI_THREAD_MULTIPLE;
    first_on_host_ = first_ranks_on_hosts();
  }
  ranks_ = std::make_unique<MpiCollective>(dog_.get(), waits_);
  library_ = library_name();
}
Groups World::groups(const Mesh& mesh) { return groups(mesh, dog_.get(), waits_); }
Groups World::groups_of_a_thread(const Mesh& mesh) {
  if (!mpi_) return groups(mesh, nullptr, waits_);
  Watchdog& dog = thread_dogs_.emplace_back(launcher_rank(), hang_limit_);
  return groups(mesh, &dog, thread_waits_.emplace_back(Waits{.delay = waits_.delay}));
}
Groups World::groups(const Mesh& mesh, Watchdog* dog, Waits& waits) {
  const auto part = [&](int size, int colour) -> Collective& {
    if (size == 1) return alone_;
    return *parts_.emplace_back(std::make_unique<MpiCollective>(colour, dog, waits));
  };
  const int rank = ranks_->rank();
  Collective& data = part(mesh.dp, rank % mesh.tp);
  return {*ranks_, data, part(mesh.tp, rank / mesh.tp), mpi_ ? &waits : nullptr};
}
int World::local_ranks() const {
  return static_cast<int>(std::ranges::count(first_on_host_, first_on_host_[static_cast<size_t>(ranks_->rank())]));
}
void World::on_hang(std::function<void(const std::string&)> last_deed) {
  for (Watchdog& dog : thread_dogs_) dog.on_end(last_deed);
  if (dog_) dog_->on_end(std::move(last_deed));
}
World::~World() {
  if (!mpi_) return;
  const std::string all = "all ranks";
  const Watchdog::Waiting waiting(dog_.get(), "the end", all);
  MPI_Finalize();
}
void World::abort(int status) {
  if (mpi_) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace hyscale::parallel
