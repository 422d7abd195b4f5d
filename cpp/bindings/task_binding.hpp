// The native task as Python holds it: the task and the batches that its calls reuse.
#pragma once

#include "pgcore/batch_pool.hpp"
#include "pgcore/task.hpp"

namespace pgcore::bindings {

struct TaskHandle {
  explicit TaskHandle(const TaskConfig& config) : task(config), pool(task.model()) {}
  Task task;
  BatchPool pool;
};

}  // namespace pgcore::bindings
