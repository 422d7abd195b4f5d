// The native task as Python holds it: the task and the batches that its calls reuse.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

#include "pgcore/batch_pool.hpp"
#include "pgcore/stream.hpp"
#include "pgcore/task.hpp"
#include "pgcore/whole_state.hpp"

namespace pgcore::bindings {

struct TaskHandle {
  explicit TaskHandle(const TaskConfig& config) : task(config), pool(task.model()) {}

  // Number of doubles of a simulator's whole state. Throws std::invalid_argument for a model whose
  // state cannot be kept.
  std::size_t state_size() {
    const mjModel& model = task.model();
    if (const char* why = unkeepable(model); why != nullptr) {
      throw std::invalid_argument(std::string("task: its state cannot be kept: ") + why);
    }
    std::size_t size = 0;
    const auto measure = [](const mjModel*, mjData* d, int, void* out) noexcept {
      *static_cast<std::size_t*>(out) = whole_state_size(*d);
    };
    run_streams(pool, 1, 1, measure, &size);
    return size;
  }

  Task task;
  BatchPool pool;
};

}  // namespace pgcore::bindings
