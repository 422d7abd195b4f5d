#include <algorithm>

#include "pgcore/rollout.hpp"
#include "pgcore/stream.hpp"

namespace pgcore {
namespace {

struct ReplayJob {
  const Task* task;
  std::span<const double> qpos;
  std::span<const double> qvel;
  std::span<const double> actions;
  std::size_t steps;
  const ReplayBuffers* out;
  Control* control;
};

void run_replay_stream(const mjModel* m, mjData* d, int sim, void* arg) noexcept {
  const auto& job = *static_cast<const ReplayJob*>(arg);
  const auto& out = *job.out;
  workspace.fit(*job.task, nullptr);
  const auto s = static_cast<std::size_t>(sim);
  const auto nq = static_cast<std::size_t>(m->nq);
  const auto nv = static_cast<std::size_t>(m->nv);
  const auto obs_dim = static_cast<std::size_t>(job.task->obs_dim());
  const auto act_dim = static_cast<std::size_t>(job.task->act_dim());

  // from a divergence on there is nothing more to simulate
  const auto give_up = [&](std::size_t t) {
    std::fill_n(out.terminated + s * job.steps + t, job.steps - t, true);
    std::fill_n(out.diverged + s * job.steps + t, job.steps - t, true);
  };
  if (!job.task->reset_to(*d, job.qpos.data() + s * nq, job.qvel.data() + s * nv)) {
    return give_up(0);
  }
  job.task->observe(*d, out.first_obs + s * obs_dim);
  for (std::size_t t = 0; t < job.steps; ++t) {
    if (job.control->cancel.load(std::memory_order_relaxed)) break;
    const std::size_t i = s * job.steps + t;
    const StepResult result =
        job.task->step(*d, job.actions.data() + i * act_dim, workspace.task.data());
    if (result.diverged) return give_up(t);
    out.rewards[i] = result.reward;
    out.terminated[i] = result.terminated;
    job.task->observe(*d, out.obs + i * obs_dim);
    std::copy(d->qpos, d->qpos + nq, out.qpos + i * nq);
    std::copy(d->qvel, d->qvel + nv, out.qvel + i * nv);
  }
}

}  // namespace

std::vector<StreamError> replay(const Task& task, std::span<const double> qpos,
                                std::span<const double> qvel, std::span<const double> actions,
                                std::size_t streams, std::size_t steps, int num_threads,
                                const ReplayBuffers& out, BatchPool& pool, Control& control) {
  ReplayJob job{&task, qpos, qvel, actions, steps, &out, &control};
  return run_streams(pool, streams, num_threads, run_replay_stream, &job);
}

}  // namespace pgcore
