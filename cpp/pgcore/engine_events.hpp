// What MuJoCo does to a simulation that blows up, and how it is noticed.
//
// mj_step puts a state beyond mjMAXVAL (or not a number) back to the model's defaults, clears the
// warning counters and sets one to 1; controls that are bad it takes for zero. What follows is no
// longer the simulation that was asked for. Every reset of a trajectory clears the counters, too,
// so that of these four any that is not zero is an event of the step in hand.
#pragma once

#include <mujoco/mujoco.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace pgcore {

inline std::int64_t count_warnings(const mjData& d) noexcept {
  std::int64_t total = 0;
  for (const auto& w : d.warning) total += w.number;
  return total;
}

// Whether MuJoCo has found qpos, qvel or qacc bad since the trajectory began.
inline bool has_bad_state(const mjData& d) noexcept {
  return d.warning[mjWARN_BADQPOS].number > 0 || d.warning[mjWARN_BADQVEL].number > 0 ||
         d.warning[mjWARN_BADQACC].number > 0;
}

inline bool has_bad_controls(const mjData& d) noexcept {
  return d.warning[mjWARN_BADCTRL].number != 0;
}

// Whether MuJoCo would go on from this state; if not, it would reset it at the next step.
inline bool is_sound(const mjModel& m, const mjData& d) noexcept {
  const auto fine = [](double x) { return std::abs(x) <= mjMAXVAL; };  // NaN is not
  return std::all_of(d.qpos, d.qpos + m.nq, fine) && std::all_of(d.qvel, d.qvel + m.nv, fine);
}

}  // namespace pgcore
