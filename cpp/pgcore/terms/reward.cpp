#include <algorithm>
#include <cmath>
#include <string>

#include "pgcore/terms/program.hpp"
#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

std::string weighted(double weight, const std::string& what) {
  return format_number(weight) + " * " + what;
}

// weight * (change of one qpos entry) / dt
struct CoordinateVelocity final : RewardTerm {
  CoordinateVelocity(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)), index(find_entry(p, m, false, 0)) {}
  double before(const mjModel&, const mjData& d) const noexcept override { return d.qpos[index]; }
  double value(const mjModel&, const mjData& d, const StepContext& s) const noexcept override {
    return weight * ((d.qpos[index] - *s.before) / s.dt);
  }
  std::string formula(const mjModel& m) const override {
    return weighted(weight, "change of " + position_name(m, index) + " / dt");
  }
  double weight;
  int index;
};

// weight * one qpos entry, or weight * that entry / timestep of the simulator
struct Coordinate final : RewardTerm {
  Coordinate(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)), index(find_entry(p, m, false)) {
    const std::string per = p.text("per", "one");
    if (per != "one" && per != "timestep") p.fail("per", "'one' or 'timestep'");
    per_timestep = per == "timestep";
  }
  double value(const mjModel& m, const mjData& d, const StepContext&) const noexcept override {
    return weight * (per_timestep ? d.qpos[index] / m.opt.timestep : d.qpos[index]);
  }
  std::string formula(const mjModel& m) const override {
    const std::string divided = " / " + format_number(m.opt.timestep) + " (simulator timestep)";
    return weighted(weight, position_name(m, index) + (per_timestep ? divided : ""));
  }
  double weight;
  int index;
  bool per_timestep;
};

// weight * (change of the mass-weighted mean of the bodies' centres) / dt
struct CenterOfMassVelocity final : RewardTerm {
  CenterOfMassVelocity(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)), axis(find_axis(p, "x")) {
    for (int b = 0; b < m.nbody; ++b) total_mass += m.body_mass[b];
  }
  double before(const mjModel& m, const mjData& d) const noexcept override {
    double sum = 0.0;
    for (int b = 0; b < m.nbody; ++b) sum += m.body_mass[b] * d.xipos[3 * b + axis];
    return sum / total_mass;
  }
  double value(const mjModel& m, const mjData& d, const StepContext& s) const noexcept override {
    return weight * ((before(m, d) - *s.before) / s.dt);
  }
  std::string formula(const mjModel&) const override {
    return weighted(weight, std::string("change of the centre of mass (") + "xyz"[axis] + ") / dt");
  }
  double weight;
  int axis;
  double total_mass = 0.0;
};

// weight * (change of a body frame's position) / dt
struct BodyVelocity final : RewardTerm {
  BodyVelocity(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)),
        axis(find_axis(p, "x")),
        body(find_object(p, m, mjOBJ_BODY, "body")) {}
  double before(const mjModel&, const mjData& d) const noexcept override {
    return d.xpos[3 * body + axis];
  }
  double value(const mjModel& m, const mjData& d, const StepContext& s) const noexcept override {
    return weight * ((before(m, d) - *s.before) / s.dt);
  }
  std::string formula(const mjModel& m) const override {
    return weighted(weight, "change of " + body_name(m, body) + " (" + "xyz"[axis] + ") / dt");
  }
  double weight;
  int axis;
  int body;
};

struct Healthy final : RewardTerm {
  Healthy(const Parameters& p, const mjModel&)
      : bonus(p.number("value", 1.0)), when(p.text("when", "healthy")) {
    if (when != "always" && when != "healthy") p.fail("when", "'always' or 'healthy'");
    always = when == "always";
  }
  double value(const mjModel&, const mjData&, const StepContext& s) const noexcept override {
    return always || s.healthy ? bonus : 0.0;
  }
  std::string formula(const mjModel&) const override {
    return format_number(bonus) + (always ? " on every step" : " while healthy");
  }
  double bonus;
  std::string when;
  bool always;
};

struct ControlCost final : RewardTerm {
  ControlCost(const Parameters& p, const mjModel& m) : weight(p.number("weight")), nu(m.nu) {}
  double value(const mjModel&, const mjData&, const StepContext& s) const noexcept override {
    double sum = 0.0;
    for (int i = 0; i < nu; ++i) sum += s.action[i] * s.action[i];
    return -(weight * sum);
  }
  std::string formula(const mjModel&) const override { return weighted(-weight, "sum(action^2)"); }
  double weight;
  int nu;
};

struct ContactCost final : RewardTerm {
  ContactCost(const Parameters& p, const mjModel& m)
      : weight(p.number("weight")),
        force(p.bounds("low", "high")),
        cost(p.bounds("min", "max")),
        n(6 * m.nbody) {}
  double value(const mjModel&, const mjData& d, const StepContext&) const noexcept override {
    double sum = 0.0;
    for (int i = 0; i < n; ++i) {
      const double f = std::clamp(d.cfrc_ext[i], force.low, force.high);
      sum += f * f;
    }
    return -std::clamp(weight * sum, cost.low, cost.high);
  }
  std::string formula(const mjModel&) const override {
    const std::string clipped = "cfrc_ext clipped to " + format_bounds(force);
    const std::string sum = "sum(" + (unbounded(force) ? "cfrc_ext" : clipped) + "^2)";
    if (unbounded(cost)) return weighted(-weight, sum);
    if (std::isinf(cost.low)) {
      return "-min(" + weighted(weight, sum) + ", " + format_number(cost.high) + ")";
    }
    return "-clip(" + weighted(weight, sum) + ", " + format_number(cost.low) + ", " +
           format_number(cost.high) + ")";
  }
  bool reads_contact_forces() const noexcept override { return true; }
  static bool unbounded(const Bounds& b) noexcept { return b.low == -b.high && std::isinf(b.low); }
  double weight;
  Bounds force;  // of every entry
  Bounds cost;   // of the whole
  int n;
};

// -(position sum qpos^2 + velocity sum qvel^2): the state cost of a linear-quadratic task.
struct QuadraticStateCost final : RewardTerm {
  QuadraticStateCost(const Parameters& p, const mjModel& m)
      : position(p.number("position", 0.0)),
        velocity(p.number("velocity", 0.0)),
        nq(m.nq),
        nv(m.nv) {}
  double value(const mjModel&, const mjData& d, const StepContext&) const noexcept override {
    double q = 0.0;
    double v = 0.0;
    for (int i = 0; i < nq; ++i) q += d.qpos[i] * d.qpos[i];
    for (int i = 0; i < nv; ++i) v += d.qvel[i] * d.qvel[i];
    return -(position * q + velocity * v);
  }
  std::string formula(const mjModel&) const override {
    return weighted(-position, "sum(qpos^2)") + " - " + weighted(velocity, "sum(qvel^2)");
  }
  double position;
  double velocity;
  int nq;
  int nv;
};

// -weight * (velocity of one degree of freedom)^2
struct VelocityCost final : RewardTerm {
  VelocityCost(const Parameters& p, const mjModel& m)
      : weight(p.number("weight")), index(find_entry(p, m, true)) {}
  double value(const mjModel&, const mjData& d, const StepContext&) const noexcept override {
    return -(weight * (d.qvel[index] * d.qvel[index]));
  }
  std::string formula(const mjModel& m) const override {
    return weighted(-weight, "(velocity of " + velocity_name(m, index) + ")^2");
  }
  double weight;
  int index;
};

// -weight * (coordinate of a site - target)^2
struct SiteCost final : RewardTerm {
  SiteCost(const Parameters& p, const mjModel& m)
      : weight(p.number("weight")),
        target(p.number("target", 0.0)),
        site(find_object(p, m, mjOBJ_SITE, "site")),
        axis(find_axis(p, "x")) {}
  double value(const mjModel&, const mjData& d, const StepContext&) const noexcept override {
    const double error = d.site_xpos[3 * site + axis] - target;
    return -(weight * (error * error));
  }
  std::string formula(const mjModel& m) const override {
    const std::string where = "site " + site_name(m, site) + " (" + "xyz"[axis] + ")";
    const std::string from = target == 0.0 ? "" : " - " + format_number(target);
    return weighted(-weight, "(" + where + from + ")^2");
  }
  double weight;
  double target;
  int site;
  int axis;
};

// -weight * distance of two body frames, before or after the step
struct DistanceCost final : RewardTerm {
  DistanceCost(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)),
        body(find_object(p, m, mjOBJ_BODY, "body")),
        other(find_object(p, m, mjOBJ_BODY, "to")) {
    const std::string when = p.text("when", "after");
    if (when != "before" && when != "after") p.fail("when", "'before' or 'after'");
    ahead = when == "before";
  }
  double before(const mjModel&, const mjData& d) const noexcept override {
    return ahead ? distance(d) : 0.0;
  }
  double value(const mjModel&, const mjData& d, const StepContext& s) const noexcept override {
    return -(weight * (ahead ? *s.before : distance(d)));
  }
  std::string formula(const mjModel& m) const override {
    return weighted(-weight, "distance of " + body_name(m, body) + " and " + body_name(m, other) +
                                 (ahead ? ", before the step" : ""));
  }
  double distance(const mjData& d) const noexcept {
    double sum = 0.0;
    for (int k = 0; k < 3; ++k) {
      const double difference = d.xpos[3 * body + k] - d.xpos[3 * other + k];
      sum += difference * difference;
    }
    return std::sqrt(sum);
  }
  double weight;
  int body;
  int other;
  bool ahead;
};

// weight * what a program computes of the states ahead of and after the step
struct Expression final : RewardTerm {
  Expression(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)),
        text(p.text("of")),
        kept(p.text("before", "constant 0"), m, {}),
        program(p.text("program"), m, {.memory = kept.size(), .contacts = true}) {
    if (program.size() != 1) p.fail("program", "one value");
  }
  int memory() const noexcept override { return kept.size(); }
  void keep(const mjModel& m, const mjData& d, double* out) const noexcept override {
    kept.run(m, d, nullptr, out);
  }
  double value(const mjModel& m, const mjData& d, const StepContext& s) const noexcept override {
    double result = 0.0;
    program.run(m, d, s.before, &result);
    return weight * result;
  }
  std::string formula(const mjModel&) const override {
    return weight == 1.0 ? text : weighted(weight, "(" + text + ")");
  }
  bool reads_contact_forces() const noexcept override {
    return kept.reads_contact_forces() || program.reads_contact_forces();
  }
  double weight;
  std::string text;
  Program kept;
  Program program;
};

}  // namespace

std::unique_ptr<RewardTerm> make_reward_term(const Parameters& p, const mjModel& m) {
  static const TermTable<RewardTerm> table = {
      {"coordinate", construct<RewardTerm, Coordinate>},
      {"coordinate_velocity", construct<RewardTerm, CoordinateVelocity>},
      {"com_velocity", construct<RewardTerm, CenterOfMassVelocity>},
      {"body_velocity", construct<RewardTerm, BodyVelocity>},
      {"healthy", construct<RewardTerm, Healthy>},
      {"control_cost", construct<RewardTerm, ControlCost>},
      {"contact_cost", construct<RewardTerm, ContactCost>},
      {"velocity_cost", construct<RewardTerm, VelocityCost>},
      {"site_cost", construct<RewardTerm, SiteCost>},
      {"distance_cost", construct<RewardTerm, DistanceCost>},
      {"quadratic_state_cost", construct<RewardTerm, QuadraticStateCost>},
      {"expression", construct<RewardTerm, Expression>}};
  return make_term("reward", table, p, m);
}

}  // namespace pgcore
