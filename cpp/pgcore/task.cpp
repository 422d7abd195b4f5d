#include "pgcore/task.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "pgcore/engine_events.hpp"

namespace pgcore {
namespace {

// One line of text per term.
std::vector<std::string> describe(const auto& terms, auto line) {
  std::vector<std::string> lines;
  lines.reserve(terms.size());
  for (const auto& term : terms) lines.push_back(line(*term));
  return lines;
}

// The flag of a model that no batch runs, because streams change places between simulations; null.
const char* flag_outside_the_state(const mjModel& m) {
  const auto flags = static_cast<unsigned>(m.opt.enableflags);
  if ((flags & mjENBL_SLEEP) != 0) return "sleep";
  if ((flags & mjENBL_IPC) != 0) return "ipc";
  return nullptr;
}

}  // namespace

ActionMap parse_action_map(std::string_view name) {
  if (name == "none") return ActionMap::kNone;
  if (name == "clip") return ActionMap::kClip;
  if (name == "scale") return ActionMap::kScale;
  if (name == "tanh") return ActionMap::kTanh;
  throw std::invalid_argument("actions: expected none, clip, scale or tanh; got '" +
                              std::string(name) + "'");
}

Task::Task(const TaskConfig& config)
    : stepped_(load_model(config.xml_path, warnings_), config.margin_rule, config.lowered),
      frame_skip_(config.frame_skip),
      time_limit_(config.time_limit) {
  if (frame_skip_ < 1) throw std::invalid_argument("frame_skip: expected a count >= 1");
  if (time_limit_ < 0) throw std::invalid_argument("time_limit: expected a count >= 1, or none");
  if (const char* flag = flag_outside_the_state(model()); flag != nullptr) {
    throw std::invalid_argument(std::string("xml: the model enables ") + flag +
                                ", which keeps what is in no state, so that simulations cannot "
                                "share threads; remove <flag " +
                                flag + "=\"enable\"/>");
  }
  if (model().nu < 1) throw std::invalid_argument("xml: the model has no actuator, so no action");
  for (const auto& p : config.reset) reset_.push_back(make_reset_term(p, model()));
  for (const auto& p : config.observation)
    observation_.push_back(make_observation_term(p, model()));
  for (const auto& p : config.reward) reward_.push_back(make_reward_term(p, model()));
  for (const auto& p : config.termination)
    termination_.push_back(make_termination_term(p, model()));
  for (const auto& term : observation_) {
    obs_dim_ += term->size();
    reads_contact_forces_ = reads_contact_forces_ || term->reads_contact_forces();
  }
  for (const auto& term : reward_) {
    reads_contact_forces_ = reads_contact_forces_ || term->reads_contact_forces();
    memory_ += static_cast<std::size_t>(term->memory());
  }
  for (const auto& term : termination_) {
    reads_contact_forces_ = reads_contact_forces_ || term->reads_contact_forces();
  }
  if (obs_dim_ < 1) throw std::invalid_argument("observation: expected at least one term");
}

std::size_t Task::scratch_size() const noexcept {
  return std::max(
      {static_cast<std::size_t>(model().nq), static_cast<std::size_t>(model().nv), memory_});
}

bool Task::reset(mjData& d, const DrawAddress& address, double* scratch) const noexcept {
  mj_resetData(&model(), &d);
  for (const auto& term : reset_) term->apply(model(), d, address, scratch);
  if (!is_sound(model(), d)) return false;
  mj_forward(&stepped_.view(), &d);
  return true;
}

bool Task::reset_to(mjData& d, const double* qpos, const double* qvel) const noexcept {
  mj_resetData(&model(), &d);
  std::copy(qpos, qpos + model().nq, d.qpos);
  std::copy(qvel, qvel + model().nv, d.qvel);
  if (!is_sound(model(), d)) return false;
  mj_forward(&stepped_.view(), &d);
  return true;
}

void Task::observe(const mjData& d, double* obs) const noexcept {
  for (const auto& term : observation_) {
    term->write(model(), d, obs);
    obs += term->size();
  }
}

bool Task::simulate(mjData& d, std::int64_t& unlisted) const noexcept {
  for (int frame = 0; frame < frame_skip_; ++frame) {
    const std::int64_t listed = count_warnings(d);
    mj_step(&stepped_.view(), &d);
    if (has_bad_state(d)) {
      // the engine's reset has erased what it had counted, unless the model forbids that reset
      const auto flags = static_cast<unsigned>(model().opt.disableflags);
      if ((flags & static_cast<unsigned>(mjDSBL_AUTORESET)) == 0) unlisted += listed;
      return false;
    }
    if (has_bad_controls(d)) return false;
  }
  if (is_sound(model(), d)) return true;
  ++unlisted;  // the engine would find it at the next step, which this trajectory will not have
  return false;
}

void Task::map(ActionMap map, double* action) const noexcept {
  if (map == ActionMap::kNone) return;
  const mjModel& m = model();
  for (int i = 0; i < m.nu; ++i) {
    if (m.actuator_ctrllimited[i] == 0) continue;
    const mjtNum* range = m.actuator_ctrlrange + ptrdiff_t{2} * i;
    const mjtNum low = range[0];
    const mjtNum high = range[1];
    double u = action[i];
    if (map != ActionMap::kClip) {
      u = map == ActionMap::kTanh ? std::tanh(u) : std::clamp(u, -1.0, 1.0);
      u = 0.5 * (low + high) + 0.5 * (high - low) * u;
    }
    action[i] = std::clamp(u, low, high);  // the affine map may round past a bound
  }
}

StepResult Task::step(mjData& d, const double* action, double* scratch) const noexcept {
  // what the reward compares with, before the simulator moves on
  double* kept = scratch;
  for (const auto& term : reward_) {
    term->keep(model(), d, kept);
    kept += term->memory();
  }

  // physics; contact forces only where a term reads them
  std::copy(action, action + model().nu, d.ctrl);
  std::int64_t unlisted = 0;
  if (!simulate(d, unlisted)) return StepResult::divergence(unlisted);
  if (reads_contact_forces_) mj_rnePostConstraint(&stepped_.view(), &d);

  // health first: the healthy reward depends on it
  bool healthy = true;
  bool terminated = false;
  for (const auto& term : termination_) {
    if (!term->applies(model(), d)) continue;
    healthy = false;
    terminated = term->ends();
    if (terminated) break;
  }
  StepResult result{0.0, terminated};
  kept = scratch;
  for (std::size_t i = 0; i < reward_.size(); ++i) {
    result.reward += reward_[i]->value(model(), d, {action, kept, dt(), healthy});
    kept += reward_[i]->memory();
    if (result.fault < 0 && !std::isfinite(result.reward)) result.fault = static_cast<int>(i);
  }
  return result;
}

std::vector<ObservationRow> Task::observation_table() const {
  std::vector<ObservationRow> rows;
  for (const auto& term : observation_) term->describe(model(), rows);
  return rows;
}

std::vector<std::string> Task::reward_formula() const {
  return describe(reward_, [&](const auto& term) { return term.formula(model()); });
}

std::vector<std::string> Task::termination_rules() const {
  return describe(termination_, [&](const auto& term) { return term.rule(model()); });
}

std::vector<std::string> Task::reset_rules() const {
  return describe(reset_, [&](const auto& term) { return term.rule(model()); });
}

}  // namespace pgcore
