#include <algorithm>
#include <limits>
#include <string>

#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

int axis_index(const Parameters& p) {
  const std::string axis = p.text("axis", "x");
  if (axis != "x" && axis != "y" && axis != "z") p.fail("axis", "x, y or z");
  return axis[0] - 'x';
}

std::string weighted(double weight, const std::string& what) {
  return format_number(weight) + " * " + what;
}

// weight * (change of one qpos entry) / dt
struct CoordinateVelocity final : RewardTerm {
  CoordinateVelocity(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)), index(p.index("index", 0, m.nq, 0)) {}
  double before(const mjModel&, const mjData& d) const noexcept override { return d.qpos[index]; }
  double value(const mjModel&, const mjData& d, const StepContext& s) const noexcept override {
    return weight * ((d.qpos[index] - s.before) / s.dt);
  }
  std::string formula(const mjModel& m) const override {
    return weighted(weight, "change of " + position_name(m, index) + " / dt");
  }
  double weight;
  int index;
};

// weight * (change of the mass-weighted mean of the bodies' centres) / dt
struct CenterOfMassVelocity final : RewardTerm {
  CenterOfMassVelocity(const Parameters& p, const mjModel& m)
      : weight(p.number("weight", 1.0)), axis(axis_index(p)) {
    for (int b = 0; b < m.nbody; ++b) total_mass += m.body_mass[b];
  }
  double before(const mjModel& m, const mjData& d) const noexcept override {
    double sum = 0.0;
    for (int b = 0; b < m.nbody; ++b) sum += m.body_mass[b] * d.xipos[3 * b + axis];
    return sum / total_mass;
  }
  double value(const mjModel& m, const mjData& d, const StepContext& s) const noexcept override {
    return weight * ((before(m, d) - s.before) / s.dt);
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
        axis(axis_index(p)),
        body(mj_name2id(&m, mjOBJ_BODY, p.text("body").c_str())) {
    if (body < 0) p.fail("body", "the name of a body of the model");
  }
  double before(const mjModel&, const mjData& d) const noexcept override {
    return d.xpos[3 * body + axis];
  }
  double value(const mjModel& m, const mjData& d, const StepContext& s) const noexcept override {
    return weight * ((before(m, d) - s.before) / s.dt);
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
    return always || !s.terminated ? bonus : 0.0;
  }
  std::string formula(const mjModel&) const override {
    return format_number(bonus) + (always ? " on every step" : " unless terminated");
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
        max(p.number("max", std::numeric_limits<double>::infinity())),
        n(6 * m.nbody) {}
  double value(const mjModel&, const mjData& d, const StepContext&) const noexcept override {
    double sum = 0.0;
    for (int i = 0; i < n; ++i) sum += d.cfrc_ext[i] * d.cfrc_ext[i];
    return -std::min(weight * sum, max);
  }
  std::string formula(const mjModel&) const override {
    return "-min(" + weighted(weight, "sum(cfrc_ext^2)") + ", " + format_number(max) + ")";
  }
  bool reads_contact_forces() const noexcept override { return true; }
  double weight;
  double max;
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

}  // namespace

std::unique_ptr<RewardTerm> make_reward_term(const Parameters& p, const mjModel& m) {
  static const TermTable<RewardTerm> table = {
      {"coordinate_velocity", construct<RewardTerm, CoordinateVelocity>},
      {"com_velocity", construct<RewardTerm, CenterOfMassVelocity>},
      {"body_velocity", construct<RewardTerm, BodyVelocity>},
      {"healthy", construct<RewardTerm, Healthy>},
      {"control_cost", construct<RewardTerm, ControlCost>},
      {"contact_cost", construct<RewardTerm, ContactCost>},
      {"quadratic_state_cost", construct<RewardTerm, QuadraticStateCost>}};
  return make_term("reward", table, p, m);
}

}  // namespace pgcore
