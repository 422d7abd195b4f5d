#include "pgcore/batch_pool.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <stdexcept>
#include <string>

#include "pgcore/fork.hpp"

namespace pgcore {
namespace {

constexpr std::size_t kMostIdle = 4;

}  // namespace

BatchPool::BatchPool(const mjModel& model) noexcept
    : model_(&model), generation_(fork_generation()) {}

BatchPool::~BatchPool() {
  const std::lock_guard lock(fork_mutex());
  forget_inherited();
}

void BatchPool::forget_inherited() noexcept {
  if (generation_ == fork_generation()) return;
  generation_ = fork_generation();
  for (BatchPtr& batch : idle_) {
    [[maybe_unused]] const mjBatch* left_behind = batch.release();
  }
  idle_.clear();
}

BatchPtr BatchPool::acquire(std::size_t simulations, int threads) {
  {
    const std::lock_guard lock(fork_mutex());
    forget_inherited();
    const auto fits = [&](const BatchPtr& b) {
      return mjb_nthread(b.get()) == threads &&
             static_cast<std::size_t>(mjb_nsim(b.get())) >= simulations;
    };
    const auto it = std::ranges::find_if(idle_, fits);
    if (it != idle_.end()) {
      BatchPtr batch = std::move(*it);
      idle_.erase(it);
      return batch;
    }
  }
  mjBatchConfig config;
  mjb_defaultConfig(&config);
  config.nthread = threads;
  std::array<char, 500> error{};
  BatchPtr batch(mjb_makeBatch(model_, static_cast<int>(simulations), &config, error.data(),
                               static_cast<int>(error.size())));
  if (!batch) throw std::runtime_error(std::string("MuJoCo cannot make a batch: ") + error.data());
  return batch;
}

void BatchPool::release(BatchPtr batch) noexcept {
  BatchPtr oldest;  // goes, and its threads end, when nothing is held
  const std::lock_guard lock(fork_mutex());
  if (idle_.size() >= kMostIdle) {
    oldest = std::move(idle_.front());
    idle_.erase(idle_.begin());
  }
  idle_.push_back(std::move(batch));
}

}  // namespace pgcore
