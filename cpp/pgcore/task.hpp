// A task: a compiled model and the terms that make observations, rewards and ends of it.
#pragma once

#include <mujoco/mujoco.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pgcore/lowering.hpp"
#include "pgcore/random.hpp"
#include "pgcore/terms/term.hpp"

namespace pgcore {

struct TaskConfig {
  std::string xml_path;
  int frame_skip = 1;
  int time_limit = 0;  // environment steps; 0: none
  MarginRule margin_rule = MarginRule::kSum;
  bool lowered = true;
  std::vector<Parameters> reset;
  std::vector<Parameters> observation;
  std::vector<Parameters> reward;
  std::vector<Parameters> termination;
};

// What the task gets of a sampled action u, for an actuator of the control range [low, high].
enum class ActionMap : std::uint8_t {
  kNone,   // u, which MuJoCo clamps and costs see whole
  kClip,   // clip(u, low, high)
  kScale,  // clip(u, -1, 1), then [-1, 1] to [low, high]
  kTanh,   // tanh(u), then [-1, 1] to [low, high]
};

// Throws std::invalid_argument for a name that is none.
ActionMap parse_action_map(std::string_view name);

struct StepResult {
  double reward;
  bool terminated;
  bool diverged = false;      // then terminated, without a reward; observe nothing after it
  int fault = -1;             // the first reward term that is not finite; -1: none
  std::int64_t unlisted = 0;  // events of the engine that d.warning does not hold

  // A step that the engine did not survive.
  static StepResult divergence(std::int64_t unlisted) noexcept {
    return {0.0, true, true, -1, unlisted};
  }
};

// Immutable; may be used from any number of threads, each with its own mjData.
class Task {
 public:
  // Throws std::invalid_argument.
  explicit Task(const TaskConfig& config);

  // For sizes, names and the layout of mjData; stepped through a view of it.
  const mjModel& model() const noexcept { return stepped_.compiled(); }
  const std::vector<std::string>& passes() const noexcept { return stepped_.passes(); }
  // What MuJoCo warned of when it compiled the model.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  int obs_dim() const noexcept { return obs_dim_; }
  int act_dim() const noexcept { return model().nu; }
  int time_limit() const noexcept { return time_limit_; }
  double dt() const noexcept { return model().opt.timestep * frame_skip_; }

  // Doubles of scratch space that reset() and step() need.
  std::size_t scratch_size() const noexcept;

  // Start a trajectory: the model's defaults changed by the reset terms. Clears d.warning. False: a
  // state that the engine would not go on from; neither observe nor step it.
  bool reset(mjData& d, const DrawAddress& address, double* scratch) const noexcept;

  // Start from the given qpos [nq] and qvel [nv]; false as above.
  bool reset_to(mjData& d, const double* qpos, const double* qvel) const noexcept;

  void observe(const mjData& d, double* obs) const noexcept;

  // Turn a sampled action [A] into the controls [A] that a map makes of it. kScale and kTanh need a
  // control range of every actuator; kClip leaves those without one as they are.
  void map(ActionMap map, double* action) const noexcept;

  // One environment step (frame_skip simulator steps) with an action [A]. It diverges where the
  // engine finds the state or the controls bad, or would at its next step.
  StepResult step(mjData& d, const double* action, double* scratch) const noexcept;

  std::vector<ObservationRow> observation_table() const;
  std::vector<std::string> reward_formula() const;
  std::vector<std::string> termination_rules() const;
  std::vector<std::string> reset_rules() const;

 private:
  // frame_skip simulator steps; false where they diverged. Adds to `unlisted`.
  bool simulate(mjData& d, std::int64_t& unlisted) const noexcept;

  std::vector<std::string> warnings_;
  SteppedModel stepped_;
  int frame_skip_;
  int time_limit_;
  int obs_dim_ = 0;
  std::size_t memory_ = 0;  // values that the rewards keep ahead of a step
  bool reads_contact_forces_ = false;
  std::vector<std::unique_ptr<ResetTerm>> reset_;
  std::vector<std::unique_ptr<ObservationTerm>> observation_;
  std::vector<std::unique_ptr<RewardTerm>> reward_;
  std::vector<std::unique_ptr<TerminationTerm>> termination_;
};

}  // namespace pgcore
