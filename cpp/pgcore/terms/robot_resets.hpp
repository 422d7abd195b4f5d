// Reset terms that know what joints, quaternions, keyframes and mocap bodies are. Used by
// reset.cpp.
#pragma once

#include <memory>

#include "pgcore/terms/term.hpp"

namespace pgcore {

std::unique_ptr<ResetTerm> make_keyframe(const Parameters& p, const mjModel& m);
std::unique_ptr<ResetTerm> make_joint_range(const Parameters& p, const mjModel& m);
std::unique_ptr<ResetTerm> make_rotation(const Parameters& p, const mjModel& m);
std::unique_ptr<ResetTerm> make_orientation(const Parameters& p, const mjModel& m);
std::unique_ptr<ResetTerm> make_box(const Parameters& p, const mjModel& m);
std::unique_ptr<ResetTerm> make_mocap(const Parameters& p, const mjModel& m);

}  // namespace pgcore
