#include "pgcore/environments.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "pgcore/stream.hpp"

namespace pgcore {

Environments::Environments(const Task& task, BatchPool& pool, std::size_t count)
    : task_(&task), pool_(&pool) {
  all_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    all_.push_back({.data = {},
                    .address = {0, static_cast<std::uint32_t>(i), 0, 0, Purpose::kResetPosition},
                    .next = 0,
                    .due = true,
                    .lost = false});
  }
  // under the batch's guard: MuJoCo's error, where there is no memory, would end the process
  const auto errors = run_streams(pool, 1, 1, make_all, this);
  if (!errors.empty()) {
    throw std::runtime_error("MuJoCo has no memory for " + std::to_string(count) +
                             " simulations: " + errors.front().message);
  }
}

void Environments::make_all(const mjModel* /*m*/, mjData* /*d*/, int /*i*/, void* arg) noexcept {
  auto& self = *static_cast<Environments*>(arg);
  for (Environment& e : self.all_) e.data.reset(mj_makeData(&self.task_->model()));
}

std::unique_lock<std::mutex> Environments::lock() {
  std::unique_lock held(mutex_, std::try_to_lock);
  if (!held) throw std::runtime_error("these environments are busy with a call of another thread");
  return held;
}

void Environments::seed(std::span<const bool> mask, std::span<const std::uint64_t> seeds,
                        std::span<const std::int64_t> ids) {
  const auto held = lock();
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (!mask[i]) continue;
    all_[i].address.seed = seeds[i];
    all_[i].address.stream_id = static_cast<std::uint32_t>(ids[i]);
    all_[i].next = 0;
  }
}

void Environments::begin(Environment& e, double* obs) const noexcept {
  e.due = true;  // it stays so where the engine raises an error, which skips the rest
  e.address.trajectory = e.next++;
  e.address.step = 0;
  e.lost = !task_->reset(*e.data, e.address, workspace.task.data());
  observe_or_zero(*task_, *e.data, obs, e.lost);
  e.due = false;
}

void Environments::reset_one(const mjModel* /*m*/, mjData* /*d*/, int i, void* arg) noexcept {
  const auto& job = *static_cast<const Job*>(arg);
  if (!job.mask[i]) return;
  const Task& task = *job.self->task_;
  workspace.fit(task, nullptr);
  job.self->begin(job.self->all_[static_cast<std::size_t>(i)],
                  job.out->obs + std::ptrdiff_t{i} * task.obs_dim());
}

void Environments::step_one(const mjModel* /*m*/, mjData* /*d*/, int i, void* arg) noexcept {
  const auto& job = *static_cast<const Job*>(arg);
  const Environments& self = *job.self;
  const StepBuffers& out = *job.out;
  const Task& task = *self.task_;
  Environment& e = job.self->all_[static_cast<std::size_t>(i)];
  workspace.fit(task, nullptr);
  double* obs = out.obs + std::ptrdiff_t{i} * task.obs_dim();
  out.rewards[i] = 0.0;
  out.terminated[i] = out.truncated[i] = out.diverged[i] = false;
  if (e.due) return self.begin(e, obs);

  // the step, and what follows it: nothing after a divergence
  e.due = true;  // as in begin()
  ++e.address.step;
  const double* action = job.actions + std::ptrdiff_t{i} * task.act_dim();
  StepResult result =
      e.lost ? StepResult::divergence(1) : step_with(task, job.map, *e.data, workspace, action);
  const auto limit = static_cast<std::uint32_t>(task.time_limit());
  const bool truncated = limit > 0 && e.address.step >= limit;
  e.lost = result.diverged;
  observe_or_zero(task, *e.data, obs, e.lost);
  if (e.lost && truncated && !result.terminated) result = StepResult::divergence(1);
  out.rewards[i] = result.reward;
  out.terminated[i] = result.terminated;
  out.truncated[i] = truncated;
  out.diverged[i] = result.diverged;

  // the next trajectory, where it is to begin at once
  e.due = result.terminated || truncated;
  if (!e.due || out.final_obs == nullptr) return;
  std::copy_n(obs, task.obs_dim(), out.final_obs + std::ptrdiff_t{i} * task.obs_dim());
  self.begin(e, obs);
}

std::vector<StreamError> Environments::reset(std::span<const bool> mask, double* obs,
                                             int num_threads) {
  const auto held = lock();
  const StepBuffers out{.obs = obs};
  Job job{this, mask.data(), nullptr, ActionMap::kNone, &out};
  return run_streams(*pool_, all_.size(), num_threads, reset_one, &job);
}

std::vector<StreamError> Environments::step(std::span<const double> actions, ActionMap map,
                                            const StepBuffers& out, int num_threads) {
  const auto held = lock();
  Job job{this, nullptr, actions.data(), map, &out};
  return run_streams(*pool_, all_.size(), num_threads, step_one, &job);
}

std::size_t Environments::state_size() const noexcept {
  return static_cast<std::size_t>(mj_stateSize(&task_->model(), mjSTATE_INTEGRATION));
}

void Environments::states(double* out) {
  const auto held = lock();
  const std::size_t size = state_size();
  for (std::size_t i = 0; i < all_.size(); ++i) {
    mj_getState(&task_->model(), all_[i].data.get(), out + i * size, mjSTATE_INTEGRATION);
  }
}

}  // namespace pgcore
