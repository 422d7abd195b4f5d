#include "pgcore/geom_pairs.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace pgcore {
namespace {

bool disabled(const mjModel& m, mjtDisableBit bit) noexcept {
  return (static_cast<unsigned>(m.opt.disableflags) & static_cast<unsigned>(bit)) != 0;
}

bool filtered(int contype1, int conaffinity1, int contype2, int conaffinity2) noexcept {
  const auto match = [](int type, int affinity) {
    return (static_cast<unsigned>(type) & static_cast<unsigned>(affinity)) != 0;
  };
  return !match(contype1, conaffinity2) && !match(contype2, conaffinity1);
}

// The order of two bodies among all, as MuJoCo stores it.
int signature_of(int b1, int b2) noexcept {
  return static_cast<int>((static_cast<unsigned>(b1) << 16U) + static_cast<unsigned>(b2));
}

// Whether MuJoCo passes over all pairs of geoms of two bodies, b1 < b2.
bool bodies_filtered(const mjModel& m, int b1, int b2) noexcept {
  const int w1 = m.body_weldid[b1], w2 = m.body_weldid[b2];
  const int p1 = m.body_weldid[m.body_parentid[w1]], p2 = m.body_weldid[m.body_parentid[w2]];
  const bool no_freedom = m.body_dofnum[w1] == 0 && m.body_dofnum[w2] == 0;
  const bool parent = w1 != 0 && w2 != 0 && (w1 == p2 || w2 == p1);
  if (w1 == w2 || no_freedom || (parent && !disabled(m, mjDSBL_FILTERPARENT))) return true;
  if (filtered(m.body_contype[b1], m.body_conaffinity[b1], m.body_contype[b2],
               m.body_conaffinity[b2])) {
    return true;
  }
  const std::span excluded(m.exclude_signature, static_cast<std::size_t>(m.nexclude));
  return std::ranges::find(excluded, signature_of(b1, b2)) != excluded.end();
}

// Whether the mid-phase (a tree of boxes) looks for the pairs of two bodies, instead of two loops.
bool uses_midphase(const mjModel& m, int b1, int b2) noexcept {
  const bool single = m.body_geomnum[b1] == 1 && m.body_geomnum[b2] == 1;
  return !single && !disabled(m, mjDSBL_MIDPHASE) && m.body_bvhadr[b1] >= 0 &&
         m.body_bvhadr[b2] >= 0;
}

using Geoms = std::pair<int, int>;

// The lower type first, as MuJoCo stores a contact.
Geoms by_type(const mjModel& m, int g1, int g2) noexcept {
  return m.geom_type[g1] > m.geom_type[g2] ? Geoms{g2, g1} : Geoms{g1, g2};
}

bool is_explicit(const mjModel& m, int g1, int g2) noexcept {
  for (int i = 0; i < m.npair; ++i) {
    const Geoms pair{m.pair_geom1[i], m.pair_geom2[i]};
    if (pair == Geoms{g1, g2} || pair == Geoms{g2, g1}) return true;
  }
  return false;
}

// The dynamic pairs of two bodies in the order of two loops.
std::vector<Geoms> dynamic_pairs(const mjModel& m, int b1, int b2) {
  std::vector<Geoms> pairs;
  if (bodies_filtered(m, b1, b2)) return pairs;
  for (int i = 0; i < m.body_geomnum[b1]; ++i) {
    for (int k = 0; k < m.body_geomnum[b2]; ++k) {
      const int g1 = m.body_geomadr[b1] + i, g2 = m.body_geomadr[b2] + k;
      if (filtered(m.geom_contype[g1], m.geom_conaffinity[g1], m.geom_contype[g2],
                   m.geom_conaffinity[g2])) {
        continue;
      }
      const Geoms pair = by_type(m, g1, g2);
      const bool collide =
          mjCOLLISIONFUNC[m.geom_type[pair.first]][m.geom_type[pair.second]] != nullptr;
      if (collide && !is_explicit(m, g1, g2)) pairs.push_back(pair);
    }
  }
  return pairs;
}

double mix_factor(double mix1, double mix2) noexcept {
  if (mix1 >= mjMINVAL && mix2 >= mjMINVAL) return mix1 / (mix1 + mix2);
  if (mix1 < mjMINVAL && mix2 < mjMINVAL) return 0.5;
  return mix1 < mjMINVAL ? 0.0 : 1.0;
}

// Copies the parameters of the geom of higher priority.
void take(const mjModel& m, int g, GeomPair& pair, std::array<mjtNum, 3>& friction) noexcept {
  pair.dim = m.geom_condim[g];
  std::copy_n(m.geom_solref + static_cast<std::ptrdiff_t>(g) * mjNREF, mjNREF, pair.solref);
  std::copy_n(m.geom_solimp + static_cast<std::ptrdiff_t>(g) * mjNIMP, mjNIMP, pair.solimp);
  std::copy_n(m.geom_friction + static_cast<std::ptrdiff_t>(g) * 3, 3, friction.begin());
  pair.adhesion = m.geom_adhesion[g];
}

// Mixes the parameters of two geoms of one priority.
void mix(const mjModel& m, GeomPair& pair, std::array<mjtNum, 3>& friction) noexcept {
  const std::ptrdiff_t g1 = pair.geom1, g2 = pair.geom2;
  const double weight = mix_factor(m.geom_solmix[g1], m.geom_solmix[g2]);
  pair.dim = std::max(m.geom_condim[g1], m.geom_condim[g2]);
  const mjtNum *ref1 = m.geom_solref + g1 * mjNREF, *ref2 = m.geom_solref + g2 * mjNREF;
  const bool standard = ref1[0] > 0 && ref2[0] > 0;
  for (int i = 0; i < mjNREF; ++i) {
    pair.solref[i] =
        standard ? weight * ref1[i] + (1 - weight) * ref2[i] : std::min(ref1[i], ref2[i]);
  }
  for (int i = 0; i < mjNIMP; ++i) {
    pair.solimp[i] =
        weight * m.geom_solimp[g1 * mjNIMP + i] + (1 - weight) * m.geom_solimp[g2 * mjNIMP + i];
  }
  for (std::size_t i = 0; i < 3; ++i) {
    friction[i] = std::max(m.geom_friction[g1 * 3 + static_cast<std::ptrdiff_t>(i)],
                           m.geom_friction[g2 * 3 + static_cast<std::ptrdiff_t>(i)]);
  }
  pair.adhesion = m.geom_adhesion[g1] + m.geom_adhesion[g2];
}

// A dynamic pair with the parameters that MuJoCo would give its contacts.
GeomPair with_parameters(const mjModel& m, Geoms geoms, int signature, MarginRule rule) noexcept {
  GeomPair pair{};
  std::tie(pair.geom1, pair.geom2) = geoms;
  pair.signature = signature;
  const auto [g1, g2] = geoms;
  std::array<mjtNum, 3> friction{};
  if (m.geom_priority[g1] != m.geom_priority[g2]) {
    take(m, m.geom_priority[g1] > m.geom_priority[g2] ? g1 : g2, pair, friction);
  } else {
    mix(m, pair, friction);
  }
  for (const auto& [to, from] : {Geoms{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}}) {
    pair.friction[to] = friction[static_cast<std::size_t>(from)];
  }
  pair.margin = rule == MarginRule::kMax ? std::max(m.geom_margin[g1], m.geom_margin[g2])
                                         : m.geom_margin[g1] + m.geom_margin[g2];
  pair.gap = m.geom_gap[g1] + m.geom_gap[g2];
  return pair;
}

GeomPair explicit_pair(const mjModel& m, std::ptrdiff_t i) noexcept {
  GeomPair pair{};
  pair.geom1 = m.pair_geom1[i];
  pair.geom2 = m.pair_geom2[i];
  pair.signature = m.pair_signature[i];
  pair.dim = m.pair_dim[i];
  std::copy_n(m.pair_solref + i * mjNREF, mjNREF, pair.solref);
  std::copy_n(m.pair_solreffriction + i * mjNREF, mjNREF, pair.solreffriction);
  std::copy_n(m.pair_solimp + i * mjNIMP, mjNIMP, pair.solimp);
  pair.margin = m.pair_margin[i];
  pair.gap = m.pair_gap[i];
  pair.adhesion = m.pair_adhesion[i];
  std::copy_n(m.pair_friction + i * 5, 5, pair.friction);
  return pair;
}

}  // namespace

bool is_plain(const mjModel& m) noexcept {
  constexpr auto kKnown =
      static_cast<unsigned>(mjENBL_OVERRIDE) | static_cast<unsigned>(mjENBL_ENERGY) |
      static_cast<unsigned>(mjENBL_FWDINV) | static_cast<unsigned>(mjENBL_INVDISCRETE);
  return (static_cast<unsigned>(m.opt.enableflags) & ~kKnown) == 0 && m.nplugin == 0;
}

bool pairs_are_exact(const mjModel& m) noexcept {
  if (!is_plain(m) || m.nflex > 0) return false;
  for (int g = 0; g < m.ngeom; ++g) {
    if (m.geom_type[g] == mjGEOM_SDF) return false;
    // the mid-phase's boxes must not cut off what the narrow phase would find
    if (m.body_margin[m.geom_bodyid[g]] < m.geom_margin[g] + m.geom_gap[g]) return false;
  }
  return true;
}

std::vector<GeomPair> candidate_pairs(const mjModel& m, MarginRule rule) {
  std::vector<GeomPair> pairs;
  pairs.reserve(static_cast<std::size_t>(m.npair));
  for (int i = 0; i < m.npair; ++i) pairs.push_back(explicit_pair(m, i));
  for (int b1 = 0; b1 < m.nbody; ++b1) {
    for (int b2 = b1 + 1; b2 < m.nbody; ++b2) {
      auto found = dynamic_pairs(m, b1, b2);
      if (uses_midphase(m, b1, b2)) std::ranges::sort(found);  // as it sorts its contacts
      for (const Geoms& geoms : found) {
        pairs.push_back(with_parameters(m, geoms, signature_of(b1, b2), rule));
      }
    }
  }
  // explicit pairs stand first in the list, and so stay first among those of their two bodies
  std::vector<std::pair<int, std::size_t>> order;
  order.reserve(pairs.size());
  for (const auto& pair : pairs) order.emplace_back(pair.signature, order.size());
  std::ranges::sort(order);
  std::vector<GeomPair> sorted;
  sorted.reserve(pairs.size());
  for (const auto& [signature, place] : order) sorted.push_back(pairs[place]);
  return sorted;
}

bool midphase_keeps_order(const mjModel& m) {
  for (int b1 = 0; b1 < m.nbody; ++b1) {
    for (int b2 = b1 + 1; b2 < m.nbody; ++b2) {
      if (uses_midphase(m, b1, b2) && !std::ranges::is_sorted(dynamic_pairs(m, b1, b2))) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace pgcore
