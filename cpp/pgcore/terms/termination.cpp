#include <cmath>
#include <string>

#include "pgcore/terms/program.hpp"
#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

// Whether values are inside: between the bounds, with or without the bounds themselves. NaN is not.
struct Interval {
  explicit Interval(const Parameters& p) : bounds(p.bounds("low", "high")) {
    const std::string kind = p.text("interval", "open");
    if (kind != "open" && kind != "closed") p.fail("interval", "'open' or 'closed'");
    closed = kind == "closed";
  }
  bool contains(double x) const noexcept {
    return closed ? bounds.low <= x && x <= bounds.high : bounds.low < x && x < bounds.high;
  }
  std::string text() const {
    if (!closed) return format_bounds(bounds);
    return std::string("[") + format_number(bounds.low) + ", " + format_number(bounds.high) + "]";
  }
  Bounds bounds;
  bool closed;
};

std::string consequence(const TerminationTerm& term) {
  return term.ends() ? "" : " (unhealthy, but does not end)";
}

// When an entry of qpos is outside an interval.
struct PositionRange final : TerminationTerm {
  PositionRange(const Parameters& p, const mjModel& m)
      : TerminationTerm(p), index(find_entry(p, m, false)), interval(p) {}
  bool applies(const mjModel&, const mjData& d) const noexcept override {
    return !interval.contains(d.qpos[index]);
  }
  std::string rule(const mjModel& m) const override {
    return position_name(m, index) + " outside " + interval.text() + " " + position_unit(m, index) +
           consequence(*this);
  }
  int index;
  Interval interval;
};

// When any entry of (qpos, qvel) from `start` on is outside an interval.
struct StateRange final : TerminationTerm {
  StateRange(const Parameters& p, const mjModel& m)
      : TerminationTerm(p), start(p.index("start", 0, m.nq, 0)), interval(p) {}
  bool applies(const mjModel& m, const mjData& d) const noexcept override {
    bool inside = true;
    for (int i = start; i < m.nq; ++i) inside = inside && interval.contains(d.qpos[i]);
    for (int i = 0; i < m.nv; ++i) inside = inside && interval.contains(d.qvel[i]);
    return !inside;
  }
  std::string rule(const mjModel& m) const override {
    const bool any = std::isinf(interval.bounds.low) && std::isinf(interval.bounds.high);
    return "any position from " + position_name(m, start) + " on, or any velocity, " +
           (any ? "not finite" : "outside " + interval.text()) + consequence(*this);
  }
  int start;
  Interval interval;
};

// When a coordinate of a site is outside an interval.
struct SiteRange final : TerminationTerm {
  SiteRange(const Parameters& p, const mjModel& m)
      : TerminationTerm(p),
        site(find_object(p, m, mjOBJ_SITE, "site")),
        axis(find_axis(p, "z")),
        interval(p) {}
  bool applies(const mjModel&, const mjData& d) const noexcept override {
    return !interval.contains(d.site_xpos[3 * site + axis]);
  }
  std::string rule(const mjModel& m) const override {
    return "site " + site_name(m, site) + " (" + "xyz"[axis] + ") outside " + interval.text() +
           " m" + consequence(*this);
  }
  int site;
  int axis;
  Interval interval;
};

// When a condition holds, or, with bounds, when a number is outside them.
struct Expression final : TerminationTerm {
  Expression(const Parameters& p, const mjModel& m)
      : TerminationTerm(p),
        text(p.text("of")),
        program(p.text("program"), m, {.memory = 0, .contacts = true}),
        interval(p),
        bounded(p.has("low") || p.has("high")) {
    if (program.size() != 1) p.fail("program", "one value");
  }
  bool applies(const mjModel& m, const mjData& d) const noexcept override {
    double value = 0.0;
    program.run(m, d, nullptr, &value);
    return bounded ? !interval.contains(value) : value != 0.0;
  }
  std::string rule(const mjModel&) const override {
    return text + (bounded ? " outside " + interval.text() : "") + consequence(*this);
  }
  bool reads_contact_forces() const noexcept override { return program.reads_contact_forces(); }
  std::string text;
  Program program;
  Interval interval;
  bool bounded;
};

}  // namespace

std::unique_ptr<TerminationTerm> make_termination_term(const Parameters& p, const mjModel& m) {
  static const TermTable<TerminationTerm> table = {
      {"qpos_range", construct<TerminationTerm, PositionRange>},
      {"state_range", construct<TerminationTerm, StateRange>},
      {"site_range", construct<TerminationTerm, SiteRange>},
      {"contact", construct<TerminationTerm, Expression>},
      {"expression", construct<TerminationTerm, Expression>}};
  return make_term("termination", table, p, m);
}

}  // namespace pgcore
