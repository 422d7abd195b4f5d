// MuJoCo batches (threads and their mjData) that are kept between calls.
#pragma once

#include <mujoco/mjbatch.h>
#include <mujoco/mujoco.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace pgcore {

struct BatchDeleter {
  void operator()(mjBatch* b) const noexcept { mjb_deleteBatch(b); }
};
using BatchPtr = std::unique_ptr<mjBatch, BatchDeleter>;

// Thread-safe: calls that overlap get batches of their own.
class BatchPool {
 public:
  explicit BatchPool(const mjModel& model) : model_(&model) {}

  // A batch with at least `simulations` simulations and exactly `threads` threads. Throws
  // std::runtime_error if MuJoCo cannot make one.
  BatchPtr acquire(std::size_t simulations, int threads);

  // Keep a batch for later calls; the oldest goes when there are too many.
  void release(BatchPtr batch) noexcept;

 private:
  const mjModel* model_;
  std::mutex mutex_;
  std::vector<BatchPtr> idle_;
};

}  // namespace pgcore
