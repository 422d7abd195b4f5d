// Long native work that Ctrl-C can stop.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>

#include "pgcore/control.hpp"

namespace pgcore::bindings {

// Tell Python of the steps that are new since `told`.
inline void tell_progress(const Control& control, std::int64_t& told) {
  const std::int64_t taken = control.steps.load(std::memory_order_relaxed);
  if (taken == told) return;
  pybind11::module_::import("pgcore.base.progress").attr("count_pairs")(taken - told);
  told = taken;
}

// Tell how far the work is; whether a Python error is set that comes from elsewhere: from a signal,
// which only the main thread sees, or from a thread that has stopped this one.
inline bool interrupted(const Control& control, std::int64_t& told) {
  if (PyErr_CheckSignals() != 0) return true;
  try {
    pybind11::module_::import("pgcore.base.threads").attr("check_stopped")();
    tell_progress(control, told);
  } catch (pybind11::error_already_set& error) {
    error.restore();
    return true;
  }
  return false;
}

// Run work(control) on a thread of its own without the GIL, while this thread looks for interrupts
// every 50 ms. On one it cancels the work, waits for it and raises (KeyboardInterrupt).
template <typename Work>
auto run_interruptible(Work work) {
  Control control;
  std::int64_t told = 0;
  auto future = std::async(std::launch::async, [&] { return work(control); });
  while (true) {
    {
      // released so that other Python threads go on while this one only waits
      const pybind11::gil_scoped_release release;
      if (future.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready) break;
    }
    if (interrupted(control, told)) {
      control.cancel = true;
      {
        const pybind11::gil_scoped_release release;
        future.wait();
      }
      throw pybind11::error_already_set();
    }
  }
  auto result = future.get();
  tell_progress(control, told);
  return result;
}

}  // namespace pgcore::bindings
