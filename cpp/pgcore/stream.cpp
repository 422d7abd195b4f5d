#include "pgcore/stream.hpp"

#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "pgcore/engine_hooks.hpp"
#include "pgcore/tsan.hpp"

namespace pgcore {
namespace {

struct QuietJob {
  mjfBatchFunc function = nullptr;
  void* job = nullptr;
  char begun = 0;  // only their addresses matter, to ThreadSanitizer
  char ended = 0;
};

// A failed simulation leaves its thread quiet, which matters on the caller's alone: the others
// belong to the batch.
void run_quietly(const mjModel* m, mjData* d, int stream, void* arg) noexcept {
  auto* quiet = static_cast<QuietJob*>(arg);
  tsan_acquire(&quiet->begun);
  quiet_this_thread(true);
  quiet->function(m, d, stream, quiet->job);
  quiet_this_thread(false);
  tsan_release(&quiet->ended);
}

}  // namespace

std::vector<StreamError> run_streams(BatchPool& pool, std::size_t streams, int num_threads,
                                     mjfBatchFunc function, void* job) {
  if (const std::string callback = installed_callback(); !callback.empty()) {
    throw std::runtime_error(callback +
                             " is installed, which pgcore's simulations would not call; "
                             "remove it with mujoco.set_" +
                             callback + "(None)");
  }
  BatchPtr batch = pool.acquire(streams, num_threads);
  std::vector<int> ids(streams);
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<StreamError> errors;
  QuietJob quiet{function, job};
  const StoppedClock no_clock;
  const QuietScope no_messages;
  tsan_release(&quiet.begun);
  const int failed =
      mjb_apply(batch.get(), ids.data(), static_cast<int>(streams), run_quietly, &quiet, 0);
  tsan_acquire(&quiet.ended);
  if (failed > 0) {
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
