// The four kinds of term that a task is made of.
//
// A term sees the model and the data only; it knows nothing of policies, streams or threads. Terms
// are immutable after construction. The functions that run inside a simulation are noexcept and
// hold no objects with destructors across MuJoCo calls.
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <string>
#include <vector>

#include "pgcore/random.hpp"
#include "pgcore/terms/parameters.hpp"

namespace pgcore {

// One line of a task's observation table.
struct ObservationRow {
  std::string meaning;
  std::string unit;
};

class ObservationTerm {
 public:
  virtual ~ObservationTerm() = default;
  virtual int size() const noexcept = 0;
  virtual void write(const mjModel& m, const mjData& d, double* out) const noexcept = 0;
  virtual void describe(const mjModel& m, std::vector<ObservationRow>& rows) const = 0;
  virtual bool reads_contact_forces() const noexcept { return false; }
};

// What a reward term may look at besides model and data.
struct StepContext {
  const double* action;  // [A], before MuJoCo clamps it to the control range
  const double* before;  // what this term kept ahead of the step
  double dt;             // seconds of one environment step
  bool healthy;          // no termination term applies
};

class RewardTerm {
 public:
  virtual ~RewardTerm() = default;
  virtual double before(const mjModel&, const mjData&) const noexcept { return 0.0; }
  // How many values it keeps ahead of the step, and which: before(), if it says nothing else.
  virtual int memory() const noexcept { return 1; }
  virtual void keep(const mjModel& m, const mjData& d, double* out) const noexcept {
    *out = before(m, d);
  }
  virtual double value(const mjModel& m, const mjData& d,
                       const StepContext& step) const noexcept = 0;
  virtual std::string formula(const mjModel& m) const = 0;
  virtual bool reads_contact_forces() const noexcept { return false; }
};

// A state in which the agent is not healthy. It ends the trajectory, or, with the parameter ends =
// 0, only costs the healthy reward.
class TerminationTerm {
 public:
  explicit TerminationTerm(const Parameters& p) : ends_(p.index("ends", 0, 2, 1) == 1) {}
  virtual ~TerminationTerm() = default;
  bool ends() const noexcept { return ends_; }
  virtual bool applies(const mjModel& m, const mjData& d) const noexcept = 0;
  virtual std::string rule(const mjModel& m) const = 0;
  virtual bool reads_contact_forces() const noexcept { return false; }

 private:
  bool ends_;
};

class ResetTerm {
 public:
  virtual ~ResetTerm() = default;
  // Change qpos or qvel, which start at the model's defaults. `scratch`: max(nq, nv) values.
  virtual void apply(const mjModel& m, mjData& d, DrawAddress address,
                     double* scratch) const noexcept = 0;
  virtual std::string rule(const mjModel& m) const = 0;
};

// Factories: the one place that knows the names of the terms. Throw std::invalid_argument.
std::unique_ptr<ObservationTerm> make_observation_term(const Parameters& p, const mjModel& m);
std::unique_ptr<RewardTerm> make_reward_term(const Parameters& p, const mjModel& m);
std::unique_ptr<TerminationTerm> make_termination_term(const Parameters& p, const mjModel& m);
std::unique_ptr<ResetTerm> make_reset_term(const Parameters& p, const mjModel& m);

// What a parameter refers to: an object (body, site, joint, keyframe) by its name or number, an
// axis x, y or z as 0, 1, 2.
int find_object(const Parameters& p, const mjModel& m, mjtObj kind, const std::string& parameter);
int find_axis(const Parameters& p, const std::string& otherwise);

// Entries of qpos (or of qvel): from "start" to "end", or those of the joint of the parameter
// "joint"; and one entry, by its number or the name of a joint that has one.
Range find_entries(const Parameters& p, const mjModel& m, bool velocity);
Range joint_entries(const mjModel& m, int joint, bool velocity);
int find_entry(const Parameters& p, const mjModel& m, bool velocity);
int find_entry(const Parameters& p, const mjModel& m, bool velocity, int otherwise);

// Names for tables: "rootx", or "root (x)" for the parts of a free or ball joint.
std::string position_name(const mjModel& m, int qpos_index);
std::string velocity_name(const mjModel& m, int dof_index);
std::string body_name(const mjModel& m, int body);
std::string site_name(const mjModel& m, int site);
std::string position_unit(const mjModel& m, int qpos_index);
std::string velocity_unit(const mjModel& m, int dof_index);

// A number as it would be written by hand: 0.001, 5, 1e-08; and "(low, high)".
std::string format_number(double value);
std::string format_bounds(const Bounds& bounds);

}  // namespace pgcore
