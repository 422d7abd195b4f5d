#include "pgcore/rollout.hpp"

#include "pgcore/stream.hpp"

namespace pgcore {
namespace {

struct RolloutJob {
  const StreamPlan* plan;
  std::size_t steps;
  std::size_t bootstraps;
  const TransitionBuffers* out;
  const std::atomic<bool>* cancel;
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

void run_rollout_stream(const mjModel*, mjData* d, int sim, void* arg) noexcept {
  const auto& job = *static_cast<const RolloutJob*>(arg);
  const auto& plan = *job.plan;
  const auto& out = *job.out;
  workspace.fit(*plan.task, plan.policy);
  const auto s = static_cast<std::size_t>(sim);
  Stream stream(plan, s, *d);
  const auto obs_dim = stream.moments.dim;
  const auto act_dim = static_cast<std::size_t>(plan.task->act_dim());

  out.reward_fault[s] = -1;
  stream.begin(0);
  for (std::size_t t = 0; t < job.steps; ++t) {
    if (job.cancel->load(std::memory_order_relaxed)) break;
    // observe, act, step: straight into this stream's rows
    const std::size_t i = s * job.steps + t;
    stream.observe(out.obs + i * obs_dim, out.inputs + i * obs_dim);
    out.log_probs[i] =
        static_cast<float>(stream.act(out.inputs + i * obs_dim, out.actions + i * act_dim));
    StepResult result = stream.step(out.actions + i * act_dim);

    // the observation after the step: to bootstrap from, or only to update a live normaliser
    const bool last = t + 1 == job.steps;
    const bool truncated = stream.time_is_up();
    if (!result.terminated && (truncated || last)) {
      if (!keep_bootstrap(job, s, t, stream)) result = stream.diverge();
    } else if (result.terminated && !result.diverged && plan.normalizer.live) {
      stream.observe(workspace.obs.data(), workspace.input.data());
    }
    write_step(job, s, t, result, truncated);
    if ((result.terminated || truncated) && !last) stream.begin(stream.address.trajectory + 1);
  }
  out.warnings[s] = stream.warnings + count_warnings(*d);
}

struct EvaluateJob {
  const StreamPlan* plan;
  std::int64_t pairs;
  double gamma;
  std::span<std::vector<TrajectoryScore>> scores;
  std::span<std::int64_t> warnings;
  const std::atomic<bool>* cancel;
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
    TrajectoryScore score{0.0, 0, false};
    double discount = 1.0;
    for (bool ended = false; !ended;) {
      if (job.cancel->load(std::memory_order_relaxed)) return;
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
  }
  job.warnings[s] = stream.warnings + count_warnings(*d);
}

}  // namespace

std::size_t max_bootstraps(const Task& task, std::size_t steps) noexcept {
  const auto limit = static_cast<std::size_t>(task.time_limit());
  return 1 + (limit > 0 ? steps / limit : 0);
}

std::vector<StreamError> rollout(const StreamPlan& plan, std::size_t steps,
                                 const TransitionBuffers& out, BatchPool& pool,
                                 const std::atomic<bool>& cancel) {
  RolloutJob job{&plan, steps, max_bootstraps(*plan.task, steps), &out, &cancel};
  return run_streams(pool, plan.member.size(), plan.num_threads, run_rollout_stream, &job);
}

std::vector<StreamError> evaluate(const StreamPlan& plan, std::int64_t pairs, double gamma,
                                  std::span<std::vector<TrajectoryScore>> scores,
                                  std::span<std::int64_t> warnings, BatchPool& pool,
                                  const std::atomic<bool>& cancel) {
  EvaluateJob job{&plan, pairs, gamma, scores, warnings, &cancel};
  return run_streams(pool, plan.member.size(), plan.num_threads, run_evaluate_stream, &job);
}

}  // namespace pgcore
