#include "pgcore/terms/robot_resets.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <vector>

namespace pgcore {
namespace {

std::array<double, 3> three_draws(DrawAddress address, Purpose purpose, int step) noexcept {
  std::array<double, 3> u{};
  address.purpose = purpose;
  address.step = static_cast<std::uint32_t>(step);
  fill_uniform(address, u);
  return u;
}

std::string half_open(const Bounds& b) {
  return std::string("[") + format_number(b.low) + ", " + format_number(b.high) + ")";
}

// Everything that a keyframe holds, but for the time.
struct Keyframe final : ResetTerm {
  Keyframe(const Parameters& p, const mjModel& m) : key(find_object(p, m, mjOBJ_KEY, "key")) {}
  void apply(const mjModel& m, mjData& d, DrawAddress, double*) const noexcept override {
    const auto copy = [this](const mjtNum* from, std::int64_t n, mjtNum* to) {
      std::copy_n(from + key * n, n, to);
    };
    copy(m.key_qpos, m.nq, d.qpos);
    copy(m.key_qvel, m.nv, d.qvel);
    copy(m.key_act, m.na, d.act);
    copy(m.key_ctrl, m.nu, d.ctrl);
    copy(m.key_mpos, 3 * std::int64_t{m.nmocap}, d.mocap_pos);
    copy(m.key_mquat, 4 * std::int64_t{m.nmocap}, d.mocap_quat);
  }
  std::string rule(const mjModel& m) const override {
    const char* name = mj_id2name(&m, mjOBJ_KEY, key);
    return "keyframe " + (name != nullptr && *name != '\0' ? name : std::to_string(key));
  }
  int key;
};

// Hinges and slides uniform in their own ranges.
struct JointRange final : ResetTerm {
  JointRange(const Parameters& p, const mjModel& m) {
    const bool one = p.has("joint");
    const int first = one ? find_object(p, m, mjOBJ_JOINT, "joint") : 0;
    const int end = one ? first + 1 : static_cast<int>(m.njnt);
    for (int j = first; j < end; ++j) {
      const bool scalar = m.jnt_type[j] == mjJNT_HINGE || m.jnt_type[j] == mjJNT_SLIDE;
      if (scalar && m.jnt_limited[j] != 0) joints.push_back(j);
    }
    if (joints.empty()) p.fail("joint", "a hinge or slide joint with a range");
  }
  void apply(const mjModel& m, mjData& d, DrawAddress address,
             double* scratch) const noexcept override {
    address.purpose = Purpose::kResetJoint;
    fill_uniform(address, {scratch, static_cast<std::size_t>(m.nq)});
    for (const int j : joints) {
      const int i = m.jnt_qposadr[j];
      const mjtNum low = m.jnt_range[std::ptrdiff_t{2} * j];
      const mjtNum high = m.jnt_range[std::ptrdiff_t{2} * j + 1];
      d.qpos[i] = low + (high - low) * scratch[i];
    }
  }
  std::string rule(const mjModel& m) const override {
    std::string text;
    for (const int j : joints) {
      const Bounds range = {m.jnt_range[std::ptrdiff_t{2} * j],
                            m.jnt_range[std::ptrdiff_t{2} * j + 1]};
      text += (text.empty() ? "" : ", ") + position_name(m, m.jnt_qposadr[j]) + " = uniform in " +
              half_open(range);
    }
    return text;
  }
  std::vector<int> joints;
};

// The quaternions of free and ball joints: of all, or of the joint that is named.
struct Quaternions : ResetTerm {
  Quaternions(const Parameters& p, const mjModel& m) {
    const bool one = p.has("joint");
    const int first = one ? find_object(p, m, mjOBJ_JOINT, "joint") : 0;
    const int end = one ? first + 1 : static_cast<int>(m.njnt);
    for (int j = first; j < end; ++j) {
      const Range entries = joint_entries(m, j, false);
      if (entries.size() >= 4) starts.push_back(entries.end - 4);
    }
    if (starts.empty()) p.fail("joint", "a free or ball joint");
  }
  std::string names(const mjModel& m) const {
    std::string text = "orientation of ";
    for (const int start : starts) {
      const std::string name = position_name(m, start);
      text += (start == starts.front() ? "" : ", ") + name.substr(0, name.rfind(" ("));
    }
    return text;
  }
  std::vector<int> starts;  // in qpos
};

// Turns them by a rotation vector in their own frame whose entries are uniform; they stay of unit
// length.
struct Rotation final : Quaternions {
  Rotation(const Parameters& p, const mjModel& m) : Quaternions(p, m), scale(p.number("scale")) {
    if (!(scale >= 0.0)) p.fail("scale", "a number >= 0");
  }
  void apply(const mjModel&, mjData& d, DrawAddress address, double*) const noexcept override {
    for (const int start : starts) {
      std::array<double, 3> v = three_draws(address, Purpose::kResetRotation, start);
      for (double& x : v) x = scale * (2.0 * x - 1.0);
      const double angle = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
      const double sine = angle > 0.0 ? std::sin(0.5 * angle) / angle : 0.5;
      turn(d.qpos + start, {std::cos(0.5 * angle), sine * v[0], sine * v[1], sine * v[2]});
    }
  }
  static void turn(double* q, const std::array<double, 4>& r) noexcept {
    std::array<double, 4> product = {q[0] * r[0] - q[1] * r[1] - q[2] * r[2] - q[3] * r[3],
                                     q[0] * r[1] + q[1] * r[0] + q[2] * r[3] - q[3] * r[2],
                                     q[0] * r[2] - q[1] * r[3] + q[2] * r[0] + q[3] * r[1],
                                     q[0] * r[3] + q[1] * r[2] - q[2] * r[1] + q[3] * r[0]};
    double square = 0.0;
    for (const double x : product) square += x * x;
    const double length = std::sqrt(square);
    for (std::size_t k = 0; k < 4; ++k) q[k] = product[k] / length;
  }
  std::string rule(const mjModel& m) const override {
    const std::string bound = format_number(scale);
    return names(m) + " turned by a vector uniform in [-" + bound + ", " + bound + ")^3 rad";
  }
  double scale;
};

// Any orientation, uniformly: Shoemake, "Uniform random rotations", Graphics Gems III (1992).
struct Orientation final : Quaternions {
  using Quaternions::Quaternions;
  void apply(const mjModel&, mjData& d, DrawAddress address, double*) const noexcept override {
    constexpr double kTurn = 2.0 * std::numbers::pi;
    for (const int start : starts) {
      const std::array<double, 3> u = three_draws(address, Purpose::kResetRotation, start);
      const double a = std::sqrt(1.0 - u[0]);
      const double b = std::sqrt(u[0]);
      double* q = d.qpos + start;
      q[0] = b * std::cos(kTurn * u[2]);
      q[1] = a * std::sin(kTurn * u[1]);
      q[2] = a * std::cos(kTurn * u[1]);
      q[3] = b * std::sin(kTurn * u[2]);
    }
  }
  std::string rule(const mjModel& m) const override { return names(m) + " = uniform over all"; }
};

// Up to three coordinates, each uniform between its bounds; those without bounds stay.
struct Box : ResetTerm {
  explicit Box(const Parameters& p) {
    constexpr std::array<const char*, 3> kLow = {"x_low", "y_low", "z_low"};
    constexpr std::array<const char*, 3> kHigh = {"x_high", "y_high", "z_high"};
    for (std::size_t k = 0; k < 3; ++k) {
      given[k] = p.has(kLow[k]) || p.has(kHigh[k]);
      if (!given[k]) continue;
      sides[k] = p.bounds(kLow[k], kHigh[k]);
      p.number(kLow[k]);
      p.number(kHigh[k]);
      extent = static_cast<int>(k) + 1;
    }
    if (extent == 0) p.fail("x_low", "bounds of a coordinate");
  }
  void place(double* at, const std::array<double, 3>& u) const noexcept {
    for (std::size_t k = 0; k < 3; ++k) {
      if (given[k]) at[k] = sides[k].low + (sides[k].high - sides[k].low) * u[k];
    }
  }
  std::string sides_text() const {
    std::string text;
    for (std::size_t k = 0; k < 3; ++k) {
      if (!given[k]) continue;
      text += (text.empty() ? "" : ", ") + std::string(1, "xyz"[k]) + " = uniform in " +
              half_open(sides[k]);
    }
    return text;
  }
  std::array<bool, 3> given{};
  std::array<Bounds, 3> sides{};
  int extent = 0;  // coordinates up to the last one with bounds
};

struct PositionBox final : Box {
  PositionBox(const Parameters& p, const mjModel& m)
      : Box(p), start(find_entries(p, m, false).start) {
    if (start + extent > m.nq) p.fail("start", "as many entries of qpos as have bounds");
  }
  void apply(const mjModel&, mjData& d, DrawAddress address, double*) const noexcept override {
    place(d.qpos + start, three_draws(address, Purpose::kResetBox, start));
  }
  std::string rule(const mjModel& m) const override {
    return "from " + position_name(m, start) + " on: " + sides_text();
  }
  int start;
};

struct MocapBox final : Box {
  MocapBox(const Parameters& p, const mjModel& m)
      : Box(p), body(find_object(p, m, mjOBJ_BODY, "body")), mocap(m.body_mocapid[body]) {
    if (mocap < 0) p.fail("body", "a mocap body");
  }
  void apply(const mjModel&, mjData& d, DrawAddress address, double*) const noexcept override {
    place(d.mocap_pos + std::ptrdiff_t{3} * mocap,
          three_draws(address, Purpose::kResetMocap, mocap));
  }
  std::string rule(const mjModel& m) const override {
    return "position of " + body_name(m, body) + ": " + sides_text();
  }
  int body;
  int mocap;
};

}  // namespace

std::unique_ptr<ResetTerm> make_keyframe(const Parameters& p, const mjModel& m) {
  return std::make_unique<Keyframe>(p, m);
}
std::unique_ptr<ResetTerm> make_joint_range(const Parameters& p, const mjModel& m) {
  return std::make_unique<JointRange>(p, m);
}
std::unique_ptr<ResetTerm> make_rotation(const Parameters& p, const mjModel& m) {
  return std::make_unique<Rotation>(p, m);
}
std::unique_ptr<ResetTerm> make_orientation(const Parameters& p, const mjModel& m) {
  return std::make_unique<Orientation>(p, m);
}
std::unique_ptr<ResetTerm> make_box(const Parameters& p, const mjModel& m) {
  return std::make_unique<PositionBox>(p, m);
}
std::unique_ptr<ResetTerm> make_mocap(const Parameters& p, const mjModel& m) {
  return std::make_unique<MocapBox>(p, m);
}

}  // namespace pgcore
