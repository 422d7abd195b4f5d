// MuJoCo batches (threads and their mjData) that are kept between calls.
#pragma once

#include <mujoco/mjbatch.h>
#include <mujoco/mujoco.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pgcore {

struct BatchDeleter {
  void operator()(mjBatch* b) const noexcept { mjb_deleteBatch(b); }
};
using BatchPtr = std::unique_ptr<mjBatch, BatchDeleter>;

// Thread-safe: calls that overlap get batches of their own. In a forked child it begins anew.
class BatchPool {
 public:
  explicit BatchPool(const mjModel& model) noexcept;
  ~BatchPool();
  BatchPool(const BatchPool&) = delete;
  BatchPool& operator=(const BatchPool&) = delete;

  // A batch with at least `simulations` simulations and exactly `threads` threads. Throws
  // std::runtime_error if MuJoCo cannot make one.
  BatchPtr acquire(std::size_t simulations, int threads);

  // Keep a batch for later calls; the oldest goes when there are too many.
  void release(BatchPtr batch) noexcept;

 private:
  // Give up batches that fork copied: deleting one would wait for its threads. Under fork_mutex().
  void forget_inherited() noexcept;

  const mjModel* model_;
  std::uint64_t generation_;
  std::vector<BatchPtr> idle_;
};

}  // namespace pgcore
