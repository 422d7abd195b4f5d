#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "pgcore/terms/program.hpp"
#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Positions final : ObservationTerm {
  Positions(const Parameters& p, const mjModel& m) : range(find_entries(p, m, false)) {}
  int size() const noexcept override { return range.size(); }
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    std::copy(d.qpos + range.start, d.qpos + range.end, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    for (int i = range.start; i < range.end; ++i) {
      rows.push_back({"position of " + position_name(m, i), position_unit(m, i)});
    }
  }
  Range range;
};

// The sine or the cosine of entries of qpos.
template <bool kSine>
struct Angles final : ObservationTerm {
  Angles(const Parameters& p, const mjModel& m) : range(find_entries(p, m, false)) {}
  int size() const noexcept override { return range.size(); }
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    std::transform(d.qpos + range.start, d.qpos + range.end, out,
                   [](double angle) { return kSine ? std::sin(angle) : std::cos(angle); });
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    const std::string function = kSine ? "sine" : "cosine";
    for (int i = range.start; i < range.end; ++i) {
      rows.push_back({function + " of the position of " + position_name(m, i), "1"});
    }
  }
  Range range;
};

// A field of mjData with one value per degree of freedom, clipped to +-clip.
struct DofField : ObservationTerm {
  DofField(const Parameters& p, const mjModel& m)
      : range(find_entries(p, m, true)), clip(p.number("clip", kInfinity)) {
    if (!(clip > 0.0)) p.fail("clip", "a positive number");
  }
  int size() const noexcept override { return range.size(); }
  void copy(const mjtNum* field, double* out) const noexcept {
    std::transform(field + range.start, field + range.end, out,
                   [this](double x) { return std::clamp(x, -clip, clip); });
  }
  std::string note() const {
    return clip < kInfinity ? ", clipped to +-" + format_number(clip) : "";
  }
  void name_forces(const mjModel& m, const std::string& what,
                   std::vector<ObservationRow>& rows) const {
    for (int i = range.start; i < range.end; ++i) {
      const bool linear = velocity_unit(m, i) == "m/s";
      rows.push_back({what + " on " + velocity_name(m, i) + note(), linear ? "N" : "N m"});
    }
  }
  Range range;
  double clip;
};

struct Velocities final : DofField {
  using DofField::DofField;
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.qvel, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    for (int i = range.start; i < range.end; ++i) {
      rows.push_back({"velocity of " + velocity_name(m, i) + note(), velocity_unit(m, i)});
    }
  }
};

struct ActuatorForces final : DofField {
  using DofField::DofField;
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.qfrc_actuator, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    name_forces(m, "actuator force", rows);
  }
};

// Of contacts, joint limits and equalities.
struct ConstraintForces final : DofField {
  using DofField::DofField;
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.qfrc_constraint, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    name_forces(m, "constraint force", rows);
  }
};

// A field of mjData with `width` values per body, from body `start` on.
struct BodyField : ObservationTerm {
  BodyField(const Parameters& p, const mjModel& m, int width_)
      : start(p.index("start", 0, m.nbody, 0)), nbody(m.nbody), width(width_) {}
  int size() const noexcept override { return (nbody - start) * width; }
  void copy(const mjtNum* field, double* out) const noexcept {
    std::copy_n(field + static_cast<std::ptrdiff_t>(start) * width, size(), out);
  }
  void name_rows(const mjModel& m, const char* const* parts, const char* const* units,
                 const std::string& what, std::vector<ObservationRow>& rows) const {
    for (int b = start; b < nbody; ++b) {
      for (int k = 0; k < width; ++k) {
        rows.push_back({what + " of " + body_name(m, b) + " (" + parts[k] + ")", units[k]});
      }
    }
  }
  int start;
  int nbody;
  int width;
};

constexpr std::array<const char*, 10> kInertiaParts = {"Ixx", "Iyy",  "Izz",  "Ixy",  "Ixz",
                                                       "Iyz", "m dx", "m dy", "m dz", "m"};
constexpr std::array<const char*, 10> kInertiaUnits = {"kg m2", "kg m2", "kg m2", "kg m2", "kg m2",
                                                       "kg m2", "kg m",  "kg m",  "kg m",  "kg"};
constexpr std::array<const char*, 6> kSpatialParts = {"wx", "wy", "wz", "vx", "vy", "vz"};
constexpr std::array<const char*, 6> kVelocityUnits = {"rad/s", "rad/s", "rad/s",
                                                       "m/s",   "m/s",   "m/s"};
constexpr std::array<const char*, 6> kWrenchParts = {"tx", "ty", "tz", "fx", "fy", "fz"};
constexpr std::array<const char*, 6> kWrenchUnits = {"N m", "N m", "N m", "N", "N", "N"};

struct BodyInertias final : BodyField {
  BodyInertias(const Parameters& p, const mjModel& m) : BodyField(p, m, 10) {}
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.cinert, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    name_rows(m, kInertiaParts.data(), kInertiaUnits.data(), "com-based inertia", rows);
  }
};

struct BodyVelocities final : BodyField {
  BodyVelocities(const Parameters& p, const mjModel& m) : BodyField(p, m, 6) {}
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.cvel, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    name_rows(m, kSpatialParts.data(), kVelocityUnits.data(), "com-based velocity", rows);
  }
};

struct ContactForces final : BodyField {
  ContactForces(const Parameters& p, const mjModel& m)
      : BodyField(p, m, 6), bounds(p.bounds("low", "high")) {}
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.cfrc_ext, out);
    std::transform(out, out + size(), out,
                   [this](double x) { return std::clamp(x, bounds.low, bounds.high); });
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    const bool clipped = bounds.low > -kInfinity || bounds.high < kInfinity;
    const std::string note = clipped ? ", clipped to " + format_bounds(bounds) + "," : "";
    name_rows(m, kWrenchParts.data(), kWrenchUnits.data(), "external contact force" + note, rows);
  }
  bool reads_contact_forces() const noexcept override { return true; }
  Bounds bounds;
};

// Coordinates of a body frame, in the world or as the difference from another body.
struct BodyPosition final : ObservationTerm {
  BodyPosition(const Parameters& p, const mjModel& m)
      : body(find_object(p, m, mjOBJ_BODY, "body")), axes(p.text("axes", "xyz")) {
    if (p.has("relative_to")) other = find_object(p, m, mjOBJ_BODY, "relative_to");
    bool rising = !axes.empty();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      rising = rising && axes[i] >= 'x' && axes[i] <= 'z' && (i == 0 || axes[i - 1] < axes[i]);
    }
    if (!rising) p.fail("axes", "some of xyz, in this order");
  }
  int size() const noexcept override { return static_cast<int>(axes.size()); }
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    for (const char axis : axes) {
      const int k = axis - 'x';
      *out++ = other < 0 ? d.xpos[3 * body + k] : d.xpos[3 * body + k] - d.xpos[3 * other + k];
    }
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    const std::string from = other < 0 ? "" : " from " + body_name(m, other);
    for (const char axis : axes) {
      rows.push_back({"position of " + body_name(m, body) + from + " (" + axis + ")", "m"});
    }
  }
  int body;
  int other = -1;  // none
  std::string axes;
};

// Entries that stand for quantities which another simulator did not compute.
struct Zeros final : ObservationTerm {
  Zeros(const Parameters& p, const mjModel&) : count(p.index("count", 1, 1048577)) {}
  int size() const noexcept override { return count; }
  void write(const mjModel&, const mjData&, double* out) const noexcept override {
    std::fill_n(out, count, 0.0);
  }
  void describe(const mjModel&, std::vector<ObservationRow>& rows) const override {
    rows.insert(rows.end(), static_cast<std::size_t>(count), {"always zero", "1"});
  }
  int count;
};

// What a program computes; its rows come with it: lines of a meaning, a tab and a unit.
struct Expression final : ObservationTerm {
  Expression(const Parameters& p, const mjModel& m) : program(p.text("program"), m, {}) {
    const std::string text = p.text("rows") + "\n";
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const std::string line = text.substr(at, text.find('\n', at) - at);
      const std::size_t tab = std::min(line.find('\t'), line.size());
      table.push_back({line.substr(0, tab), line.substr(std::min(tab + 1, line.size()))});
    }
    if (table.size() != static_cast<std::size_t>(program.size()))
      p.fail("rows", "one for each value");
  }
  int size() const noexcept override { return program.size(); }
  void write(const mjModel& m, const mjData& d, double* out) const noexcept override {
    program.run(m, d, nullptr, out);
  }
  void describe(const mjModel&, std::vector<ObservationRow>& rows) const override {
    rows.insert(rows.end(), table.begin(), table.end());
  }
  bool reads_contact_forces() const noexcept override { return program.reads_contact_forces(); }
  Program program;
  std::vector<ObservationRow> table;
};

}  // namespace

std::unique_ptr<ObservationTerm> make_observation_term(const Parameters& p, const mjModel& m) {
  static const TermTable<ObservationTerm> table = {
      {"qpos", construct<ObservationTerm, Positions>},
      {"sin_qpos", construct<ObservationTerm, Angles<true>>},
      {"cos_qpos", construct<ObservationTerm, Angles<false>>},
      {"qvel", construct<ObservationTerm, Velocities>},
      {"qfrc_actuator", construct<ObservationTerm, ActuatorForces>},
      {"qfrc_constraint", construct<ObservationTerm, ConstraintForces>},
      {"cinert", construct<ObservationTerm, BodyInertias>},
      {"cvel", construct<ObservationTerm, BodyVelocities>},
      {"cfrc_ext", construct<ObservationTerm, ContactForces>},
      {"body_position", construct<ObservationTerm, BodyPosition>},
      {"zeros", construct<ObservationTerm, Zeros>},
      {"sensor", construct<ObservationTerm, Expression>},
      {"site_position", construct<ObservationTerm, Expression>},
      {"body_orientation", construct<ObservationTerm, Expression>},
      {"body_velocity", construct<ObservationTerm, Expression>},
      {"activation", construct<ObservationTerm, Expression>},
      {"previous_action", construct<ObservationTerm, Expression>},
      {"tendon_length", construct<ObservationTerm, Expression>},
      {"expression", construct<ObservationTerm, Expression>}};
  return make_term("observation", table, p, m);
}

}  // namespace pgcore
