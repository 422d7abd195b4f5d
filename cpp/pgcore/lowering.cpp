#include "pgcore/lowering.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "pgcore/geom_pairs.hpp"

namespace pgcore {
namespace {

// Whether a list pays: it is walked whole in every evaluation (about 9 ns a pair), the search costs
// some 100 ns a body. Measured on Humanoid, 9 pairs a body: 1.05 x the search.
bool list_pays(const mjModel& m, std::size_t pairs) noexcept {
  return pairs <= 10 * static_cast<std::size_t>(m.nbody);
}

bool can_collide(const mjModel& m, int g) noexcept {
  return m.geom_contype[g] != 0 || m.geom_conaffinity[g] != 0;
}

bool has_gaps(const mjModel& m) noexcept {
  return std::any_of(m.geom_gap, m.geom_gap + m.ngeom, [](mjtNum gap) { return gap != 0; });
}

// Whether all geoms that collide have one margin.
bool equal_margins(const mjModel& m) noexcept {
  int first = -1;
  for (int g = 0; g < m.ngeom; ++g) {
    if (!can_collide(m, g)) continue;
    if (first < 0) first = g;
    if (m.geom_margin[g] != m.geom_margin[first]) return false;
  }
  return true;
}

bool any_margin(const mjModel& m) noexcept {
  for (int g = 0; g < m.ngeom; ++g) {
    if (can_collide(m, g) && m.geom_margin[g] != 0) return true;
  }
  return false;
}

// Whether a sensor reads where a camera or a light is; nothing else of a simulation can.
bool reads_views(const mjModel& m) noexcept {
  const auto is_view = [](int type) { return type == mjOBJ_CAMERA || type == mjOBJ_LIGHT; };
  for (int i = 0; i < m.nsensor; ++i) {
    if (is_view(m.sensor_objtype[i]) || is_view(m.sensor_reftype[i])) return true;
  }
  return !is_plain(m);
}

void disable(mjModel& m, mjtDisableBit bit) noexcept {
  m.opt.disableflags =
      static_cast<int>(static_cast<unsigned>(m.opt.disableflags) | static_cast<unsigned>(bit));
}

}  // namespace

SteppedModel::SteppedModel(ModelPtr compiled, MarginRule rule, bool lowered)
    : compiled_(std::move(compiled)), view_(*compiled_) {
  const mjModel& m = *compiled_;

  // the rule of margins: equal ones are halved, others need a margin for each pair
  bool need_pairs = false;
  if (rule == MarginRule::kMax && any_margin(m)) {
    if (has_gaps(m)) {
      throw std::invalid_argument(
          "contact_margins: 'max' is the rule before MuJoCo 3.5, where a gap had another meaning; "
          "expected a model without gaps");
    }
    if (equal_margins(m)) {
      halve_margins();
    } else if (pairs_are_exact(m)) {
      need_pairs = true;
    } else {
      throw std::invalid_argument(
          "contact_margins: 'max' needs equal margins, or a model without flexes, sleeping, "
          "plugins and signed distance fields");
    }
  }

  // explicit pairs instead of the search; where they are not, the mid-phase only culls
  const bool exact = pairs_are_exact(m);
  std::vector<GeomPair> pairs;
  if (exact && (lowered || need_pairs)) {
    pairs = candidate_pairs(view_, need_pairs ? MarginRule::kMax : MarginRule::kSum);
  }
  if (need_pairs || (lowered && exact && list_pays(m, pairs.size()))) {
    use_pairs(pairs);
    if (lowered) passes_.emplace_back("explicit pairs");
  } else if (lowered && exact && midphase_keeps_order(m)) {
    disable(view_, mjDSBL_MIDPHASE);
    passes_.emplace_back("no mid-phase");
  }

  // with one kinematic tree there is one island at most, which is the whole problem
  if (lowered && is_plain(m) && m.ntree <= 1) {
    disable(view_, mjDSBL_ISLAND);
    passes_.emplace_back("no islands");
  }
  if (lowered && m.ncam + m.nlight > 0 && !reads_views(m)) {
    forget_unread_views();
    passes_.emplace_back("no cameras and lights");
  }
}

void SteppedModel::halve_margins() {
  geom_margin_.assign(view_.geom_margin, view_.geom_margin + view_.ngeom);
  for (auto& margin : geom_margin_) margin /= 2;  // exact, and so is the sum of two halves
  view_.geom_margin = geom_margin_.data();
}

void SteppedModel::forget_unread_views() {
  view_.ncam = 0;
  view_.nlight = 0;
}

void SteppedModel::use_pairs(const std::vector<GeomPair>& pairs) {
  const auto append = [](auto& to, const auto& from, int n) {
    to.insert(to.end(), from, from + n);
  };
  for (const auto& p : pairs) {
    pair_dim_.push_back(p.dim);
    pair_geom1_.push_back(p.geom1);
    pair_geom2_.push_back(p.geom2);
    pair_signature_.push_back(p.signature);
    append(pair_solref_, p.solref, mjNREF);
    append(pair_solreffriction_, p.solreffriction, mjNREF);
    append(pair_solimp_, p.solimp, mjNIMP);
    pair_margin_.push_back(p.margin);
    pair_gap_.push_back(p.gap);
    pair_adhesion_.push_back(p.adhesion);
    append(pair_friction_, p.friction, 5);
  }
  view_.npair = static_cast<decltype(view_.npair)>(pairs.size());
  view_.pair_dim = pair_dim_.data();
  view_.pair_geom1 = pair_geom1_.data();
  view_.pair_geom2 = pair_geom2_.data();
  view_.pair_signature = pair_signature_.data();
  view_.pair_solref = pair_solref_.data();
  view_.pair_solreffriction = pair_solreffriction_.data();
  view_.pair_solimp = pair_solimp_.data();
  view_.pair_margin = pair_margin_.data();
  view_.pair_gap = pair_gap_.data();
  view_.pair_adhesion = pair_adhesion_.data();
  view_.pair_friction = pair_friction_.data();

  // and no dynamic ones
  const auto geoms = static_cast<std::size_t>(view_.ngeom);
  const auto bodies = static_cast<std::size_t>(view_.nbody);
  for (auto* flags : {&geom_contype_, &geom_conaffinity_}) flags->assign(geoms, 0);
  for (auto* flags : {&body_contype_, &body_conaffinity_}) flags->assign(bodies, 0);
  view_.geom_contype = geom_contype_.data();
  view_.geom_conaffinity = geom_conaffinity_.data();
  view_.body_contype = body_contype_.data();
  view_.body_conaffinity = body_conaffinity_.data();
}

}  // namespace pgcore
