// Long native work that Ctrl-C can stop.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>

namespace pgcore::bindings {

// Whether a Python error is set that comes from elsewhere: from a signal, which only the main
// thread sees, or from a thread that has stopped this one.
inline bool interrupted() {
  if (PyErr_CheckSignals() != 0) return true;
  try {
    pybind11::module_::import("pgcore.base.threads").attr("check_stopped")();
  } catch (pybind11::error_already_set& error) {
    error.restore();
    return true;
  }
  return false;
}

// Run work(cancel) on a thread of its own without the GIL, while this thread looks for interrupts
// every 50 ms. On one it sets `cancel`, waits for the work and raises (KeyboardInterrupt).
template <typename Work>
auto run_interruptible(Work work) {
  std::atomic<bool> cancel{false};
  auto future = std::async(std::launch::async, [&] { return work(cancel); });
  while (true) {
    {
      // released so that other Python threads go on while this one only waits
      const pybind11::gil_scoped_release release;
      if (future.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready) break;
    }
    if (interrupted()) {
      cancel = true;
      {
        const pybind11::gil_scoped_release release;
        future.wait();
      }
      throw pybind11::error_already_set();
    }
  }
  return future.get();
}

}  // namespace pgcore::bindings
