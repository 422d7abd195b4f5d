// A compiled model as it is stepped: what makes MuJoCo cheaper without changing a bit of a
// trajectory, and the rule by which the margins of two geoms meet.
//
// The compiled model itself is never changed. It is seen through a copy of its top-level struct
// whose other pointers lead to arrays of ours, so that whatever a pass does not name is the
// compiled model's own. Each pass has its condition beside it and is left out where that fails.
#pragma once

#include <mujoco/mujoco.h>

#include <cstdint>
#include <string>
#include <vector>

#include "pgcore/model.hpp"

namespace pgcore {

// The distance at which two geoms begin to act on each other: since MuJoCo 3.5 their margins add
// up; before, the larger one counted.
enum class MarginRule : std::uint8_t { kSum, kMax };

// One candidate for a contact, with the parameters that the contact gets.
struct GeomPair {
  int geom1, geom2;
  int signature;  // body1 << 16 + body2: the order in which MuJoCo visits pairs
  int dim;
  mjtNum solref[mjNREF], solreffriction[mjNREF], solimp[mjNIMP];
  mjtNum margin, gap, adhesion;
  mjtNum friction[5];
};

class SteppedModel {
 public:
  // Throws std::invalid_argument if the rule cannot be kept for this model.
  SteppedModel(ModelPtr compiled, MarginRule rule, bool lowered);
  SteppedModel(const SteppedModel&) = delete;
  SteppedModel& operator=(const SteppedModel&) = delete;
  ~SteppedModel() = default;

  // For sizes, names and the layout of mjData.
  const mjModel& compiled() const noexcept { return *compiled_; }

  // For mj_step and mj_forward.
  const mjModel& view() const noexcept { return view_; }

  // The passes that were applied, by name.
  const std::vector<std::string>& passes() const noexcept { return passes_; }

 private:
  void halve_margins();
  void use_pairs(const std::vector<GeomPair>& pairs);
  void forget_unread_views();

  ModelPtr compiled_;
  mjModel view_;
  std::vector<std::string> passes_;

  // what the view points to instead of the compiled model's arrays
  std::vector<mjtNum> geom_margin_;
  std::vector<int> geom_contype_, geom_conaffinity_, body_contype_, body_conaffinity_;
  std::vector<int> pair_dim_, pair_geom1_, pair_geom2_, pair_signature_;
  std::vector<mjtNum> pair_solref_, pair_solreffriction_, pair_solimp_, pair_margin_, pair_gap_;
  std::vector<mjtNum> pair_adhesion_, pair_friction_;
};

}  // namespace pgcore
