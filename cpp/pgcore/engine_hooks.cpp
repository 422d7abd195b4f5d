#include "pgcore/engine_hooks.hpp"

#include <mujoco/mujoco.h>

#include <mutex>

#include "pgcore/fork.hpp"

namespace pgcore {
namespace {

int stopped = 0;                // how many StoppedClocks live
mjfTime taken_clock = nullptr;  // what the first of them found

}  // namespace

StoppedClock::StoppedClock() noexcept {
  const std::lock_guard lock(fork_mutex());
  if (stopped++ > 0) return;
  taken_clock = mjcb_time;
  mjcb_time = nullptr;
}

StoppedClock::~StoppedClock() {
  const std::lock_guard lock(fork_mutex());
  // a clock that somebody installed meanwhile stays
  if (--stopped == 0 && mjcb_time == nullptr) mjcb_time = taken_clock;
}

void start_clock_after_fork() noexcept {
  if (stopped == 0) return;
  stopped = 0;
  if (mjcb_time == nullptr) mjcb_time = taken_clock;
}

std::string installed_callback() {
  if (mjcb_control != nullptr) return "mjcb_control";
  if (mjcb_passive != nullptr) return "mjcb_passive";
  if (mjcb_contactfilter != nullptr) return "mjcb_contactfilter";
  if (mjcb_sensor != nullptr) return "mjcb_sensor";
  if (mjcb_act_dyn != nullptr) return "mjcb_act_dyn";
  if (mjcb_act_gain != nullptr) return "mjcb_act_gain";
  if (mjcb_act_bias != nullptr) return "mjcb_act_bias";
  return {};
}

const void* clock_address() noexcept {
  const std::lock_guard lock(fork_mutex());
  return reinterpret_cast<const void*>(mjcb_time);
}

}  // namespace pgcore
