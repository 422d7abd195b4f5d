#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>

#include "pgcore/terms/robot_resets.hpp"
#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

// Entries of qpos or of qvel.
struct Entries {
  Entries(const Parameters& p, const mjModel& m)
      : velocity(is_velocity(p)),
        size(velocity ? m.nv : m.nq),
        range(find_entries(p, m, velocity)) {}
  static bool is_velocity(const Parameters& p) {
    const std::string target = p.text("target");
    if (target != "qpos" && target != "qvel") p.fail("target", "'qpos' or 'qvel'");
    return target == "qvel";
  }
  double* of(mjData& d) const noexcept { return velocity ? d.qvel : d.qpos; }
  std::string text() const {
    std::string all = velocity ? "qvel" : "qpos";
    if (range.size() == size) return all;
    return all + "[" + std::to_string(range.start) + ":" + std::to_string(range.end) + "]";
  }
  bool velocity;
  int size;
  Range range;
};

// Adds noise. An entry's draw depends on its place in qpos or qvel, not on where the range starts.
struct Noise : ResetTerm {
  Noise(const Parameters& p, const mjModel& m) : entries(p, m), scale(p.number("scale")) {
    if (!(scale >= 0.0)) p.fail("scale", "a number >= 0");
  }
  DrawAddress aim(DrawAddress address) const noexcept {
    address.purpose = entries.velocity ? Purpose::kResetVelocity : Purpose::kResetPosition;
    return address;
  }
  std::span<double> draws(double* scratch) const noexcept {
    return {scratch, static_cast<std::size_t>(entries.range.end)};
  }
  Entries entries;
  double scale;
};

struct UniformNoise final : Noise {
  using Noise::Noise;
  void apply(const mjModel&, mjData& d, DrawAddress address,
             double* scratch) const noexcept override {
    double* values = entries.of(d);
    fill_uniform(aim(address), draws(scratch));
    for (int i = entries.range.start; i < entries.range.end; ++i) {
      values[i] += scale * (2.0 * scratch[i] - 1.0);
    }
  }
  std::string rule(const mjModel&) const override {
    return entries.text() + " += uniform in [-" + format_number(scale) + ", " +
           format_number(scale) + ")";
  }
};

struct GaussianNoise final : Noise {
  using Noise::Noise;
  void apply(const mjModel&, mjData& d, DrawAddress address,
             double* scratch) const noexcept override {
    double* values = entries.of(d);
    fill_normal(aim(address), draws(scratch));
    for (int i = entries.range.start; i < entries.range.end; ++i) values[i] += scale * scratch[i];
  }
  std::string rule(const mjModel&) const override {
    return entries.text() + " += normal with std " + format_number(scale);
  }
};

struct SetTo final : ResetTerm {
  SetTo(const Parameters& p, const mjModel& m) : entries(p, m), value(p.number("value")) {}
  void apply(const mjModel&, mjData& d, DrawAddress, double*) const noexcept override {
    std::fill_n(entries.of(d) + entries.range.start, entries.range.size(), value);
  }
  std::string rule(const mjModel&) const override {
    return entries.text() + " = " + format_number(value);
  }
  Entries entries;
  double value;
};

// Puts two entries of qpos, from `start` on, at a random place of a plane.
struct Placement : ResetTerm {
  Placement(const Parameters& p, const mjModel& m) : start(p.index("start", -m.nq, m.nq - 1)) {
    if (start < 0) start += m.nq;
    if (start + 2 > m.nq) p.fail("start", "the first of two entries of qpos");
    radius = p.number("radius");
    if (!(radius > 0.0)) p.fail("radius", "a positive number");
  }
  // Uniform in the box x times y, drawn again until the distance from the origin is accepted. After
  // 64 tries in vain it stays at `otherwise` (disc: once in 10^43 resets).
  template <typename Accepts>
  void place(mjData& d, DrawAddress address, const Bounds& x, const Bounds& y,
             std::array<double, 2> otherwise, Accepts accepts) const noexcept {
    constexpr std::size_t kTries = 64;
    std::array<double, 2 * kTries> draws{};
    address.purpose = Purpose::kResetPlace;
    address.step = static_cast<std::uint32_t>(start);
    fill_uniform(address, draws);
    std::copy(otherwise.begin(), otherwise.end(), d.qpos + start);
    for (std::size_t i = 0; i < draws.size(); i += 2) {
      const double px = x.low + (x.high - x.low) * draws[i];
      const double py = y.low + (y.high - y.low) * draws[i + 1];
      if (!accepts(std::sqrt(px * px + py * py))) continue;
      d.qpos[start] = px;
      d.qpos[start + 1] = py;
      return;
    }
  }
  std::string place_text(const mjModel& m) const {
    return position_name(m, start) + ", " + position_name(m, start + 1) + " = uniform in ";
  }
  int start;
  double radius;
};

struct Disc final : Placement {
  using Placement::Placement;
  void apply(const mjModel&, mjData& d, DrawAddress address, double*) const noexcept override {
    const Bounds side = {-radius, radius};
    place(d, address, side, side, {0.0, 0.0}, [this](double r) { return r < radius; });
  }
  std::string rule(const mjModel& m) const override {
    return place_text(m) + "the disc of radius " + format_number(radius);
  }
};

struct BoxOutsideDisc final : Placement {
  BoxOutsideDisc(const Parameters& p, const mjModel& m)
      : Placement(p, m), x(p.bounds("x_low", "x_high")), y(p.bounds("y_low", "y_high")) {
    for (const char* side : {"x_low", "x_high", "y_low", "y_high"}) p.number(side);
    corner = {-x.low > x.high ? x.low : x.high, -y.low > y.high ? y.low : y.high};
    if (!(std::hypot(corner[0], corner[1]) > radius)) {
      p.fail("radius", "a disc that leaves a part of the box free");
    }
  }
  void apply(const mjModel&, mjData& d, DrawAddress address, double*) const noexcept override {
    place(d, address, x, y, corner, [this](double r) { return r > radius; });
  }
  std::string rule(const mjModel& m) const override {
    const auto side = [](const Bounds& b) {
      return std::string("[") + format_number(b.low) + ", " + format_number(b.high) + ")";
    };
    return place_text(m) + side(x) + " x " + side(y) + " outside the disc of radius " +
           format_number(radius);
  }
  Bounds x;
  Bounds y;
  std::array<double, 2> corner{};  // the one farthest from the disc's centre
};

}  // namespace

std::unique_ptr<ResetTerm> make_reset_term(const Parameters& p, const mjModel& m) {
  static const TermTable<ResetTerm> table = {
      {"uniform", construct<ResetTerm, UniformNoise>},
      {"gaussian", construct<ResetTerm, GaussianNoise>},
      {"set", construct<ResetTerm, SetTo>},
      {"disc", construct<ResetTerm, Disc>},
      {"box_outside_disc", construct<ResetTerm, BoxOutsideDisc>},
      {"keyframe", make_keyframe},
      {"joint_range", make_joint_range},
      {"rotation", make_rotation},
      {"orientation", make_orientation},
      {"box", make_box},
      {"mocap", make_mocap}};
  return make_term("reset", table, p, m);
}

}  // namespace pgcore
