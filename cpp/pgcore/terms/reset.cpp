#include <span>
#include <string>

#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

// Adds noise to every entry of qpos or of qvel.
struct Noise : ResetTerm {
  Noise(const Parameters& p, const mjModel&)
      : velocity(p.text("target") == "qvel"), scale(p.number("scale")) {
    const std::string target = p.text("target");
    if (target != "qpos" && target != "qvel") p.fail("target", "'qpos' or 'qvel'");
    if (!(scale >= 0.0)) p.fail("scale", "a number >= 0");
  }
  std::span<double> target(const mjModel& m, mjData& d) const noexcept {
    return velocity ? std::span<double>(d.qvel, static_cast<std::size_t>(m.nv))
                    : std::span<double>(d.qpos, static_cast<std::size_t>(m.nq));
  }
  DrawAddress aim(DrawAddress address) const noexcept {
    address.purpose = velocity ? Purpose::kResetVelocity : Purpose::kResetPosition;
    return address;
  }
  std::string rule_as(const std::string& distribution) const {
    return std::string(velocity ? "qvel" : "qpos") + " += " + distribution;
  }
  bool velocity;
  double scale;
};

struct UniformNoise final : Noise {
  using Noise::Noise;
  void apply(const mjModel& m, mjData& d, DrawAddress address,
             double* scratch) const noexcept override {
    const auto values = target(m, d);
    fill_uniform(aim(address), {scratch, values.size()});
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += scale * (2.0 * scratch[i] - 1.0);
  }
  std::string rule(const mjModel&) const override {
    return rule_as("uniform in [-" + format_number(scale) + ", " + format_number(scale) + ")");
  }
};

struct GaussianNoise final : Noise {
  using Noise::Noise;
  void apply(const mjModel& m, mjData& d, DrawAddress address,
             double* scratch) const noexcept override {
    const auto values = target(m, d);
    fill_normal(aim(address), {scratch, values.size()});
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += scale * scratch[i];
  }
  std::string rule(const mjModel&) const override {
    return rule_as("normal with std " + format_number(scale));
  }
};

}  // namespace

std::unique_ptr<ResetTerm> make_reset_term(const Parameters& p, const mjModel& m) {
  static const TermTable<ResetTerm> table = {{"uniform", construct<ResetTerm, UniformNoise>},
                                             {"gaussian", construct<ResetTerm, GaussianNoise>}};
  return make_term("reset", table, p, m);
}

}  // namespace pgcore
