#include "pgcore/rollout.hpp"

#include "pgcore/stream.hpp"
#include "pgcore/whole_state.hpp"

namespace pgcore {
namespace {

struct RolloutJob {
  const StreamPlan* plan;
  const StreamStates* start;
  std::size_t steps;
  std::size_t bootstraps;
  const TransitionBuffers* out;
  Control* control;
};

// Keep the observation that follows step t of stream s. False if there is none.
bool keep_bootstrap(const RolloutJob& job, std::size_t s, std::size_t t, Stream& stream) noexcept {
  const auto& out = *job.out;
  const std::size_t k = s * job.bootstraps + static_cast<std::size_t>(out.bootstrap_count[s]);
  stream.observe(out.bootstrap_obs + k * stream.moments.dim,
                 out.bootstrap_inputs + k * stream.moments.dim);
  if (stream.lost) return false;
  out.bootstrap_step[k] = static_cast<std::int64_t>(t);
  ++out.bootstrap_count[s];
  return true;
}

void write_step(const RolloutJob& job, std::size_t s, std::size_t t, const StepResult& result,
                bool truncated) noexcept {
  const auto& out = *job.out;
  const std::size_t i = s * job.steps + t;
  out.rewards[i] = result.reward;
  out.terminated[i] = result.terminated;
  out.truncated[i] = truncated;
  out.diverged[i] = result.diverged;
  if (out.reward_fault[s] < 0) out.reward_fault[s] = result.fault;
}

// Go on where stream s stood, or begin the trajectory that was due.
void start_stream(const RolloutJob& job, std::size_t s, const mjModel& m, Stream& stream) noexcept {
  const auto& start = *job.start;
  const auto trajectory =
      start.simulator == nullptr ? 0U : static_cast<std::uint32_t>(start.trajectory[s]);
  if (start.simulator == nullptr || start.step[s] == 0) {
    stream.begin(trajectory);
    return;
  }
  load_whole_state(m, start.simulator + s * whole_state_size(*stream.data), *stream.data);
  stream.address.trajectory = trajectory;
  stream.address.step = static_cast<std::uint32_t>(start.step[s]);
  stream.counted = true;
}

void keep_end(const RolloutJob& job, std::size_t s, bool ended, const Stream& stream) noexcept {
  const auto& end = job.out->end;
  if (end.simulator == nullptr) return;
  end.trajectory[s] = static_cast<std::int64_t>(stream.address.trajectory) + (ended ? 1 : 0);
  end.step[s] = ended ? 0 : static_cast<std::int64_t>(stream.address.step);
  if (!ended) {
    save_whole_state(*stream.data, end.simulator + s * whole_state_size(*stream.data));
  }
}

void keep_state(const mjModel& m, const mjData& d, double* states, std::size_t i) noexcept {
  const auto size = static_cast<std::size_t>(mj_stateSize(&m, mjSTATE_INTEGRATION));
  mj_getState(&m, &d, states + i * size, mjSTATE_INTEGRATION);
}

void run_rollout_stream(const mjModel* m, mjData* d, int sim, void* arg) noexcept {
  const auto& job = *static_cast<const RolloutJob*>(arg);
  const auto& plan = *job.plan;
  const auto& out = *job.out;
  workspace.fit(*plan.task, plan.policy);
  const auto s = static_cast<std::size_t>(sim);
  Stream stream(plan, s, *d);
  const auto obs_dim = stream.moments.dim;
  const auto act_dim = static_cast<std::size_t>(plan.task->act_dim());

  if (out.seen.count != nullptr) {
    stream.seen = {out.seen.count + s, out.seen.mean + s * obs_dim, out.seen.m2 + s * obs_dim,
                   obs_dim};
  }
  out.reward_fault[s] = -1;
  start_stream(job, s, *m, stream);
  for (std::size_t t = 0; t < job.steps; ++t) {
    if (job.control->cancel.load(std::memory_order_relaxed)) break;
    // observe, act, step: straight into this stream's rows
    const std::size_t i = s * job.steps + t;
    if (out.states != nullptr) keep_state(*m, *d, out.states, i);
    stream.observe(out.obs + i * obs_dim, out.inputs + i * obs_dim);
    out.log_probs[i] =
        static_cast<float>(stream.act(out.inputs + i * obs_dim, out.actions + i * act_dim));
    StepResult result = stream.step(out.actions + i * act_dim);

    // the observation after the step: to bootstrap from, or only to update a live normaliser
    const bool last = t + 1 == job.steps;
    const bool truncated = stream.time_is_up();
    if (!result.terminated && (truncated || last)) {
      if (!keep_bootstrap(job, s, t, stream)) result = stream.diverge();
    } else if (result.terminated && !result.diverged && stream.is_watched()) {
      stream.observe(workspace.obs.data(), workspace.input.data());
    }
    write_step(job, s, t, result, truncated);
    const bool ended = result.terminated || truncated;
    if (ended && !last) stream.begin(stream.address.trajectory + 1);
    if (last) keep_end(job, s, ended, stream);
  }
  out.warnings[s] = stream.warnings + count_warnings(*d);
  job.control->add(static_cast<std::int64_t>(job.steps));
}

struct EvaluateJob {
  const StreamPlan* plan;
  std::int64_t pairs;
  double gamma;
  std::span<std::vector<TrajectoryScore>> scores;
  std::span<std::int64_t> warnings;
  Control* control;
};

void run_evaluate_stream(const mjModel*, mjData* d, int sim, void* arg) noexcept {
  const auto& job = *static_cast<const EvaluateJob*>(arg);
  workspace.fit(*job.plan->task, job.plan->policy);
  const auto s = static_cast<std::size_t>(sim);
  Stream stream(*job.plan, s, *d);
  auto& w = *stream.space;

  std::int64_t taken = 0;
  for (std::uint32_t trajectory = 0; taken < job.pairs; ++trajectory) {
    stream.begin(trajectory);
    TrajectoryScore score;
    double discount = 1.0;
    for (bool ended = false; !ended;) {
      if (job.control->cancel.load(std::memory_order_relaxed)) return;
      stream.observe(w.obs.data(), w.input.data());
      stream.act(w.input.data(), w.action32.data());
      const StepResult result = stream.step(w.action32.data());
      score.value += discount * result.reward;
      score.total += result.reward;
      discount *= job.gamma;
      ++score.length;
      score.diverged = result.diverged;
      ended = result.terminated || stream.time_is_up();
    }
    job.scores[s].push_back(score);
    taken += score.length;
    job.control->add(score.length);
  }
  job.warnings[s] = stream.warnings + count_warnings(*d);
}

}  // namespace

std::size_t max_bootstraps(const Task& task, std::size_t steps, bool goes_on) noexcept {
  const auto limit = static_cast<std::size_t>(task.time_limit());
  if (limit == 0) return 1;
  const std::size_t before = goes_on ? limit - 1 : 0;
  return 1 + (before + steps) / limit;
}

std::vector<StreamError> rollout(const StreamPlan& plan, std::size_t steps,
                                 const StreamStates& start, const TransitionBuffers& out,
                                 BatchPool& pool, Control& control) {
  const bool goes_on = start.simulator != nullptr;
  RolloutJob job{&plan, &start, steps, max_bootstraps(*plan.task, steps, goes_on), &out, &control};
  return run_streams(pool, plan.member.size(), plan.num_threads, run_rollout_stream, &job);
}

std::vector<StreamError> evaluate(const StreamPlan& plan, std::int64_t pairs, double gamma,
                                  std::span<std::vector<TrajectoryScore>> scores,
                                  std::span<std::int64_t> warnings, BatchPool& pool,
                                  Control& control) {
  EvaluateJob job{&plan, pairs, gamma, scores, warnings, &control};
  return run_streams(pool, plan.member.size(), plan.num_threads, run_evaluate_stream, &job);
}

}  // namespace pgcore
