#include "pgcore/rollout.hpp"
#include "pgcore/stream.hpp"

namespace pgcore {
namespace {

struct BranchJob {
  const StreamPlan* plan;
  const BranchPlan* branches;
  const BranchBuffers* out;
  const std::atomic<bool>* cancel;
};

// The stream's own course up to the branch, resets included. Returns false when cancelled.
bool run_course(const BranchJob& job, Stream& stream, std::int64_t steps) noexcept {
  auto& w = *stream.space;
  stream.begin(0);
  for (std::int64_t t = 0; t < steps; ++t) {
    if (job.cancel->load(std::memory_order_relaxed)) return false;
    stream.observe(w.obs.data(), w.input.data());
    stream.act(w.input.data(), w.action32.data());
    const StepResult result = stream.step(w.action32.data());
    if (result.terminated || stream.time_is_up()) stream.begin(stream.address.trajectory + 1);
  }
  return true;
}

void run_branch_stream(const mjModel*, mjData* d, int sim, void* arg) noexcept {
  const auto& job = *static_cast<const BranchJob*>(arg);
  const auto& out = *job.out;
  workspace.fit(*job.plan->task, job.plan->policy);
  const auto s = static_cast<std::size_t>(sim);
  Stream stream(*job.plan, s, *d);
  auto& w = *stream.space;
  if (!run_course(job, stream, job.branches->at[s])) return;

  // the state at the branch, then other random numbers
  stream.observe(out.obs + s * stream.moments.dim, out.inputs + s * stream.moments.dim);
  stream.address.seed = job.branches->seeds[s];
  std::copy_n(out.inputs + s * stream.moments.dim, stream.moments.dim, w.input.data());
  double discount = 1.0;
  while (out.lengths[s] < job.branches->tail && !out.terminated[s]) {
    if (job.cancel->load(std::memory_order_relaxed)) return;
    stream.act(w.input.data(), w.action32.data());
    const StepResult result = stream.step(w.action32.data());
    out.returns[s] += discount * result.reward;
    discount *= job.branches->gamma;
    ++out.lengths[s];
    out.terminated[s] = result.terminated;
    stream.observe(w.obs.data(), w.input.data());
  }
}

}  // namespace

std::vector<StreamError> branch(const StreamPlan& plan, const BranchPlan& branches,
                                const BranchBuffers& out, BatchPool& pool,
                                const std::atomic<bool>& cancel) {
  BranchJob job{&plan, &branches, &out, &cancel};
  return run_streams(pool, plan.member.size(), plan.num_threads, run_branch_stream, &job);
}

}  // namespace pgcore
