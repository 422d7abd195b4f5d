// One stream while it runs, and the call that runs many of them. Used inside this folder only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "pgcore/batch_pool.hpp"
#include "pgcore/engine_events.hpp"
#include "pgcore/rollout.hpp"

namespace pgcore {

// Space of one thread. It belongs to the thread, not to a function: MuJoCo leaves a failed
// simulation with longjmp, and no object with a destructor may be on the stack then.
struct Workspace {
  std::vector<float> network;
  std::vector<float> outputs;  // of the network
  std::vector<float> action32;
  std::vector<float> input;
  std::vector<double> obs;
  std::vector<double> noise;
  std::vector<double> action;
  std::vector<double> std;
  std::vector<double> task;

  void fit(const Task& t, const PolicyStack* policy) {
    const auto obs_dim = static_cast<std::size_t>(t.obs_dim());
    const auto act_dim = static_cast<std::size_t>(t.act_dim());
    obs.resize(obs_dim);
    input.resize(obs_dim);
    for (auto* v : {&noise, &action, &std}) v->resize(act_dim);
    action32.resize(act_dim);
    task.resize(t.scratch_size());
    if (policy != nullptr) {
      network.resize(policy->scratch_size());
      outputs.resize(policy->output_size());
    }
  }
};

inline thread_local Workspace workspace;

// Whether every value is a finite float32.
inline bool fits_input(std::span<const double> values) noexcept {
  bool fits = true;
  for (const double x : values) fits &= std::abs(x) <= std::numeric_limits<float>::max();
  return fits;
}

// A stream while it runs: everything trivially destructible.
struct Stream {
  const StreamPlan* plan;
  mjData* data;
  Workspace* space;
  std::size_t member;
  DrawAddress address;
  GaussianHead head;
  RunningMoments moments;
  RunningMoments seen;    // of this stream's own observations; null: not wanted
  std::int64_t warnings;  // that the data holds no longer, or never did
  bool counted;           // the next observation was seen before
  bool lost;              // no observation can be made of the state: its step is not simulated

  Stream(const StreamPlan& p, std::size_t s, mjData& d) noexcept
      : plan(&p),
        data(&d),
        space(&workspace),
        member(static_cast<std::size_t>(p.member[s])),
        address{p.seed, static_cast<std::uint32_t>(p.stream_ids[s]), 0, 0, Purpose::kAction},
        head{space->std.data(), 0.0, p.task->act_dim()},
        moments{nullptr, nullptr, nullptr, static_cast<std::size_t>(p.task->obs_dim())},
        seen{nullptr, nullptr, nullptr, moments.dim},
        warnings(0),
        counted(false),
        lost(false) {
    if (p.policy->free_std()) {
      head.load(p.policy->kind(), p.policy->log_std(static_cast<int>(member)));
    }
    if (p.normalizer.count != nullptr) {
      moments.count = p.normalizer.count + member;
      moments.mean = p.normalizer.mean + member * moments.dim;
      moments.m2 = p.normalizer.m2 + member * moments.dim;
    }
  }

  // The observation of the current state, and the network input that it becomes. Zeros, which no
  // normaliser sees, where it is not finite as a network input: then the stream is lost.
  void observe(double* obs, float* input) noexcept {
    if (!lost) {
      plan->task->observe(*data, obs);
      lost = !fits_input({obs, moments.dim});
    }
    if (lost) std::fill_n(obs, moments.dim, 0.0);
    const bool fresh = !lost && !counted;
    counted = false;
    if (seen.count != nullptr && fresh) seen.push(obs);
    if (moments.count == nullptr) {
      cast_input({obs, moments.dim}, input);
      return;
    }
    if (plan->normalizer.live && fresh) moments.push(obs);
    moments.normalize(obs, plan->normalizer.clip, input);
  }

  // Whether statistics follow the observations.
  bool is_watched() const noexcept { return plan->normalizer.live || seen.count != nullptr; }

  // Sample an action for a network input; returns its log-probability.
  double act(const float* input, float* action) noexcept {
    auto& w = *space;
    const PolicyStack& policy = *plan->policy;
    const float* mean = w.outputs.data();
    policy.run(static_cast<int>(member), input, w.network.data(), w.outputs.data());
    if (!policy.free_std()) head.load(policy.kind(), mean + head.act_dim);
    if (plan->deterministic) {
      std::ranges::fill(w.noise, 0.0);
    } else {
      fill_normal(address, w.noise);
    }
    return head.sample(mean, w.noise.data(), action);
  }

  StepResult step(const float* action) noexcept {
    ++address.step;
    if (lost) return diverge();
    std::copy(action, action + head.act_dim, space->action.data());
    plan->task->map(plan->action_map, space->action.data());
    const StepResult result = plan->task->step(*data, space->action.data(), space->task.data());
    warnings += result.unlisted;
    return result;
  }

  // End the trajectory where the engine itself has said nothing yet.
  StepResult diverge() noexcept {
    ++warnings;
    return StepResult::divergence(1);
  }

  bool time_is_up() const noexcept {
    const int limit = plan->task->time_limit();
    return limit > 0 && address.step >= static_cast<std::uint32_t>(limit);
  }

  // Begin a trajectory. mj_resetData forgets the warnings, so they are counted first. A state that
  // the engine would not go on from is lost.
  void begin(std::uint32_t trajectory) noexcept {
    if (trajectory > 0) warnings += count_warnings(*data);
    address.trajectory = trajectory;
    address.step = 0;
    lost = !plan->task->reset(*data, address, space->task.data());
  }
};

// Run `function(model, data, stream, job)` once for every stream and collect MuJoCo's errors.
std::vector<StreamError> run_streams(BatchPool& pool, std::size_t streams, int num_threads,
                                     mjfBatchFunc function, void* job);

}  // namespace pgcore
