#include "pgcore/batch_pool.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace pgcore {
namespace {

constexpr std::size_t kMostIdle = 4;

}  // namespace

BatchPtr BatchPool::acquire(std::size_t simulations, int threads) {
  {
    const std::lock_guard lock(mutex_);
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
  const std::lock_guard lock(mutex_);
  if (idle_.size() >= kMostIdle) idle_.erase(idle_.begin());
  idle_.push_back(std::move(batch));
}

}  // namespace pgcore
