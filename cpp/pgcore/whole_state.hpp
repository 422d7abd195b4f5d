// A simulation as numbers that can be kept in a file and gone on from.
//
// The physics state alone would not do: observations and rewards read quantities that MuJoCo
// derived before its last integration, which no forward pass gives again. They all lie in the main
// buffer of mjData; contacts and constraints, which lie in its arena, are made anew by every step.
#pragma once

#include <mujoco/mujoco.h>

#include <cstddef>
#include <cstring>

namespace pgcore {

// Why a model's state cannot be kept; null: it can.
inline const char* unkeepable(const mjModel& m) noexcept {
  return m.nplugin > 0 ? "plugins, whose state is their own" : nullptr;
}

// Number of doubles of a state: of the buffer, the time and four flags.
inline std::size_t whole_state_size(const mjData& d) noexcept {
  return (static_cast<std::size_t>(d.nbuffer) + sizeof(double) - 1) / sizeof(double) + 5;
}

inline void save_whole_state(const mjData& d, double* out) noexcept {
  out[0] = d.time;
  out[1] = d.flg_energypos ? 1.0 : 0.0;
  out[2] = d.flg_energyvel ? 1.0 : 0.0;
  out[3] = d.flg_subtreevel ? 1.0 : 0.0;
  out[4] = d.flg_rnepost ? 1.0 : 0.0;
  std::memcpy(out + 5, d.buffer, static_cast<std::size_t>(d.nbuffer));
}

inline void load_whole_state(const mjModel& m, const double* in, mjData& d) noexcept {
  mj_resetData(&m, &d);
  d.time = in[0];
  d.flg_energypos = in[1] != 0.0;
  d.flg_energyvel = in[2] != 0.0;
  d.flg_subtreevel = in[3] != 0.0;
  d.flg_rnepost = in[4] != 0.0;
  std::memcpy(d.buffer, in + 5, static_cast<std::size_t>(d.nbuffer));
}

}  // namespace pgcore
