// What a long call and whoever waits for it tell each other.
#pragma once

#include <atomic>
#include <cstdint>

namespace pgcore {

struct Control {
  std::atomic<bool> cancel{false};     // stops all streams soon
  std::atomic<std::int64_t> steps{0};  // of all streams so far; for progress, so that it may lag

  void add(std::int64_t taken) noexcept { steps.fetch_add(taken, std::memory_order_relaxed); }
};

}  // namespace pgcore
