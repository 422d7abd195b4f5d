#include "pgcore/stream.hpp"

#include <numeric>
#include <utility>

namespace pgcore {
namespace {

struct QuietJob {
  mjfBatchFunc function;
  void* job;
};

// A failed simulation leaves its thread quiet; the thread's next stream sets it anyway.
void run_quietly(const mjModel* m, mjData* d, int stream, void* arg) noexcept {
  const auto* quiet = static_cast<const QuietJob*>(arg);
  quiet_this_thread(true);
  quiet->function(m, d, stream, quiet->job);
  quiet_this_thread(false);
}

}  // namespace

std::vector<StreamError> run_streams(BatchPool& pool, std::size_t streams, int num_threads,
                                     mjfBatchFunc function, void* job) {
  BatchPtr batch = pool.acquire(streams, num_threads);
  std::vector<int> ids(streams);
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<StreamError> errors;
  QuietJob quiet{function, job};
  if (mjb_apply(batch.get(), ids.data(), static_cast<int>(streams), run_quietly, &quiet, 0) > 0) {
    for (std::size_t s = 0; s < streams; ++s) {
      if (mjb_status(batch.get())[s] != 0) {
        errors.push_back(
            {static_cast<std::int64_t>(s), mjb_error(batch.get(), static_cast<int>(s))});
      }
    }
  }
  pool.release(std::move(batch));
  return errors;
}

}  // namespace pgcore
