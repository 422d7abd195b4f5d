
#include "pgcore/model.hpp"
#include "pgcore/rollout.hpp"
#include "pgcore/stream.hpp"

namespace pgcore {
namespace {

struct BranchJob {
  const StreamPlan* plan;
  const BranchPlan* branches;
  const BranchBuffers* out;
  Control* control;
};

// A thread's copy of the state at a branch. All of mjData is kept, not the physics state alone:
// observations and rewards read quantities that MuJoCo derived before its last integration, which
// no forward pass gives again. It belongs to the thread for the reason that Workspace does.
class BranchPoint {
 public:
  void save(const mjModel& m, const mjData& d) noexcept {
    const bool fits = data_ && model_ == &m && data_->signature == d.signature &&
                      data_->nbuffer == d.nbuffer && data_->narena == d.narena;
    if (!fits) {
      data_.reset(mj_makeData(&m));
      model_ = &m;
    }
    mj_copyData(data_.get(), &m, &d);
  }

  void restore(const mjModel& m, mjData& d) const noexcept { mj_copyData(&d, &m, data_.get()); }

 private:
  const mjModel* model_ = nullptr;
  DataPtr data_;
};

thread_local BranchPoint branch_point;

// The stream's own course up to the branch, resets included. Returns false when cancelled.
bool run_course(const BranchJob& job, Stream& stream, std::int64_t steps) noexcept {
  auto& w = *stream.space;
  stream.begin(0);
  for (std::int64_t t = 0; t < steps; ++t) {
    if (job.control->cancel.load(std::memory_order_relaxed)) return false;
    stream.observe(w.obs.data(), w.input.data());
    stream.act(w.input.data(), w.action32.data());
    const StepResult result = stream.step(w.action32.data());
    if (result.terminated || stream.time_is_up()) stream.begin(stream.address.trajectory + 1);
  }
  job.control->add(steps);
  return true;
}

// From the state at the branch, whose network input is in the workspace, with other random numbers.
// Writes to place i, that of continuation k; returns false when cancelled.
bool run_continuation(const BranchJob& job, Stream& stream, std::size_t k, std::size_t i) noexcept {
  auto& w = *stream.space;
  const auto& out = *job.out;
  const std::size_t A = w.action32.size();
  const std::int64_t tail = job.branches->tail;
  double* rewards =
      out.rewards == nullptr ? nullptr : out.rewards + i * static_cast<std::size_t>(tail);
  double discount = 1.0;
  while (out.lengths[i] < tail && !out.terminated[i]) {
    if (job.control->cancel.load(std::memory_order_relaxed)) return false;
    const bool is_first = out.lengths[i] == 0;
    if (!is_first && job.branches->limited && stream.time_is_up()) break;
    stream.address.seed = is_first ? job.branches->first[k] : job.branches->seeds[k];
    stream.act(w.input.data(), w.action32.data());
    if (is_first && out.actions != nullptr) std::copy_n(w.action32.data(), A, out.actions + i * A);
    const StepResult result = stream.step(w.action32.data());
    out.returns[i] += discount * result.reward;
    if (rewards != nullptr) rewards[out.lengths[i]] = result.reward;
    discount *= job.branches->gamma;
    ++out.lengths[i];
    out.terminated[i] = result.terminated;
    out.diverged[i] = result.diverged;
    if (result.diverged) break;
    stream.observe(w.obs.data(), w.input.data());
  }
  job.control->add(out.lengths[i]);
  return true;
}

void run_branch_stream(const mjModel* m, mjData* d, int sim, void* arg) noexcept {
  const auto& job = *static_cast<const BranchJob*>(arg);
  workspace.fit(*job.plan->task, job.plan->policy);
  const auto s = static_cast<std::size_t>(sim);
  Stream stream(*job.plan, s, *d);
  if (!run_course(job, stream, job.branches->at[s])) return;

  const std::size_t O = stream.moments.dim, K = job.branches->seeds.size();
  float* input = job.out->inputs + s * O;
  stream.observe(job.out->obs + s * O, input);
  branch_point.save(*m, *d);
  const DrawAddress at = stream.address;
  const bool lost = stream.lost;
  for (std::size_t k = 0; k < K; ++k) {
    if (k > 0) branch_point.restore(*m, *d);
    stream.address = at;
    stream.lost = lost;
    std::copy_n(input, O, stream.space->input.data());
    if (!run_continuation(job, stream, k, s * K + k)) return;
  }
}

}  // namespace

std::vector<StreamError> branch(const StreamPlan& plan, const BranchPlan& branches,
                                const BranchBuffers& out, BatchPool& pool, Control& control) {
  BranchJob job{&plan, &branches, &out, &control};
  return run_streams(pool, plan.member.size(), plan.num_threads, run_branch_stream, &job);
}

}  // namespace pgcore
