// The native task as Python holds it: the task and the batches that its calls reuse.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include "pgcore/batch_pool.hpp"
#include "pgcore/task.hpp"
#include "pgcore/whole_state.hpp"

namespace pgcore::bindings {

struct TaskHandle {
  explicit TaskHandle(const TaskConfig& config) : task(config), pool(task.model()) {}

  // Number of doubles of a simulator's whole state. Throws std::invalid_argument for a model whose
  // state cannot be kept.
  std::size_t state_size() const {
    const mjModel& model = task.model();
    if (const char* why = unkeepable(model); why != nullptr) {
      throw std::invalid_argument(std::string("task: its state cannot be kept: ") + why);
    }
    const std::unique_ptr<mjData, void (*)(mjData*)> data(mj_makeData(&model), mj_deleteData);
    if (!data) throw std::runtime_error("MuJoCo has no memory for a simulation");
    return whole_state_size(*data);
  }

  Task task;
  BatchPool pool;
};

}  // namespace pgcore::bindings
