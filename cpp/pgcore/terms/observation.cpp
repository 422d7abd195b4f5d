#include <algorithm>
#include <array>
#include <string>

#include "pgcore/terms/term.hpp"
#include "pgcore/terms/term_table.hpp"

namespace pgcore {
namespace {

struct Positions final : ObservationTerm {
  Positions(const Parameters& p, const mjModel& m)
      : start(p.index("start", 0, m.nq, 0)), end(m.nq) {}
  int size() const noexcept override { return end - start; }
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    std::copy(d.qpos + start, d.qpos + end, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    for (int i = start; i < end; ++i) {
      rows.push_back({"position of " + position_name(m, i), position_unit(m, i)});
    }
  }
  int start;
  int end;
};

struct Velocities final : ObservationTerm {
  Velocities(const Parameters& p, const mjModel& m) : clip(p.number("clip", mjMAXVAL)), nv(m.nv) {
    if (!(clip > 0.0)) p.fail("clip", "a positive number");
  }
  int size() const noexcept override { return nv; }
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    for (int i = 0; i < nv; ++i) out[i] = std::clamp(d.qvel[i], -clip, clip);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    const std::string note = clip < mjMAXVAL ? ", clipped to +-" + format_number(clip) : "";
    for (int i = 0; i < nv; ++i) {
      rows.push_back({"velocity of " + velocity_name(m, i) + note, velocity_unit(m, i)});
    }
  }
  double clip;
  int nv;
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
                 const char* what, std::vector<ObservationRow>& rows) const {
    for (int b = start; b < nbody; ++b) {
      for (int k = 0; k < width; ++k) {
        rows.push_back(
            {std::string(what) + " of " + body_name(m, b) + " (" + parts[k] + ")", units[k]});
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
  ContactForces(const Parameters& p, const mjModel& m) : BodyField(p, m, 6) {}
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    copy(d.cfrc_ext, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    name_rows(m, kWrenchParts.data(), kWrenchUnits.data(), "external contact force", rows);
  }
  bool reads_contact_forces() const noexcept override { return true; }
};

struct ActuatorForces final : ObservationTerm {
  ActuatorForces(const Parameters& p, const mjModel& m)
      : start(p.index("start", 0, m.nv, 0)), end(m.nv) {}
  int size() const noexcept override { return end - start; }
  void write(const mjModel&, const mjData& d, double* out) const noexcept override {
    std::copy(d.qfrc_actuator + start, d.qfrc_actuator + end, out);
  }
  void describe(const mjModel& m, std::vector<ObservationRow>& rows) const override {
    for (int i = start; i < end; ++i) {
      const bool linear = velocity_unit(m, i) == "m/s";
      rows.push_back({"actuator force on " + velocity_name(m, i), linear ? "N" : "N m"});
    }
  }
  int start;
  int end;
};

// Entries that stand for quantities which another simulator did not compute.
struct Zeros final : ObservationTerm {
  Zeros(const Parameters& p, const mjModel&) : count(p.index("count", 1, 1 << 20)) {}
  int size() const noexcept override { return count; }
  void write(const mjModel&, const mjData&, double* out) const noexcept override {
    std::fill_n(out, count, 0.0);
  }
  void describe(const mjModel&, std::vector<ObservationRow>& rows) const override {
    rows.insert(rows.end(), static_cast<std::size_t>(count), {"always zero", "1"});
  }
  int count;
};

}  // namespace

std::unique_ptr<ObservationTerm> make_observation_term(const Parameters& p, const mjModel& m) {
  static const TermTable<ObservationTerm> table = {
      {"qpos", construct<ObservationTerm, Positions>},
      {"qvel", construct<ObservationTerm, Velocities>},
      {"cinert", construct<ObservationTerm, BodyInertias>},
      {"cvel", construct<ObservationTerm, BodyVelocities>},
      {"cfrc_ext", construct<ObservationTerm, ContactForces>},
      {"qfrc_actuator", construct<ObservationTerm, ActuatorForces>},
      {"zeros", construct<ObservationTerm, Zeros>}};
  return make_term("observation", table, p, m);
}

}  // namespace pgcore
