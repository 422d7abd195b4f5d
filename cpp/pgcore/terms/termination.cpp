#include <limits>
#include <string>

#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Terminates when an entry of qpos leaves (low, high); NaN counts as outside.
struct PositionRange final : TerminationTerm {
  PositionRange(const Parameters& p, const mjModel& m)
      : index(p.index("index", 0, m.nq)),
        low(p.number("low", -kInfinity)),
        high(p.number("high", kInfinity)) {}
  bool terminated(const mjModel&, const mjData& d) const noexcept override {
    return !(low < d.qpos[index] && d.qpos[index] < high);
  }
  std::string rule(const mjModel& m) const override {
    return position_name(m, index) + " outside (" + format_number(low) + ", " +
           format_number(high) + ") " + position_unit(m, index);
  }
  int index;
  double low;
  double high;
};

// Terminates when any entry of (qpos, qvel) from `start` on leaves (low, high).
struct StateRange final : TerminationTerm {
  StateRange(const Parameters& p, const mjModel& m)
      : start(p.index("start", 0, m.nq)),
        low(p.number("low", -kInfinity)),
        high(p.number("high", kInfinity)) {}
  bool terminated(const mjModel& m, const mjData& d) const noexcept override {
    bool inside = true;
    for (int i = start; i < m.nq; ++i) inside = inside && low < d.qpos[i] && d.qpos[i] < high;
    for (int i = 0; i < m.nv; ++i) inside = inside && low < d.qvel[i] && d.qvel[i] < high;
    return !inside;
  }
  std::string rule(const mjModel& m) const override {
    return "any position from " + position_name(m, start) + " on, or any velocity, outside (" +
           format_number(low) + ", " + format_number(high) + ")";
  }
  int start;
  double low;
  double high;
};

}  // namespace

std::unique_ptr<TerminationTerm> make_termination_term(const Parameters& p, const mjModel& m) {
  static const TermTable<TerminationTerm> table = {
      {"qpos_range", construct<TerminationTerm, PositionRange>},
      {"state_range", construct<TerminationTerm, StateRange>}};
  return make_term("termination", table, p, m);
}

}  // namespace pgcore
