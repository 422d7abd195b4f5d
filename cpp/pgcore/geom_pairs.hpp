// The geom pairs that dynamic collision detection considers, as a list made once.
#pragma once

#include <mujoco/mujoco.h>

#include <vector>

#include "pgcore/lowering.hpp"

namespace pgcore {

// Whether the model asks for nothing of the engine that the passes were not made for, such as
// sleeping, speculative contacts or plugins.
bool is_plain(const mjModel& m) noexcept;

// Whether a list of pairs can stand for the search of `m` at all: MuJoCo then visits the same pairs
// in the same order with the same parameters, and the search only culls pairs without contact.
// Implies is_plain(m).
bool pairs_are_exact(const mjModel& m) noexcept;

// Every pair that can be in contact, the model's explicit pairs among them, in the order in which
// MuJoCo visits them. Needs pairs_are_exact(m).
std::vector<GeomPair> candidate_pairs(const mjModel& m, MarginRule rule);

// Whether MuJoCo's search visits pairs in the same order with and without its mid-phase.
bool midphase_keeps_order(const mjModel& m);

}  // namespace pgcore
