// Environments of a task that a caller steps with actions of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "pgcore/batch_pool.hpp"
#include "pgcore/model.hpp"
#include "pgcore/rollout.hpp"
#include "pgcore/task.hpp"

namespace pgcore {

// Where step() writes; [N, ...].
struct StepBuffers {
  double* obs = nullptr;        // [N, O], what to act on next; zeros where nothing can be observed
  double* rewards = nullptr;    // [N]
  bool* terminated = nullptr;   // [N]
  bool* truncated = nullptr;    // [N]
  bool* diverged = nullptr;     // [N], then terminated, without a reward
  double* final_obs = nullptr;  // [N, O], the last of each trajectory that ends, which then begins
                                // anew in this step; null: it does so in the next one
};

// N simulations that stay where they are between calls. Trajectory k of environment i starts where
// that of a stream with the same seed and id does, whatever the number of threads. One call at a
// time: another one meanwhile throws std::runtime_error.
class Environments {
 public:
  // `task` and `pool` outlive it. Throws std::runtime_error where MuJoCo has no memory.
  Environments(const Task& task, BatchPool& pool, std::size_t count);

  std::size_t size() const noexcept { return all_.size(); }
  const Task& task() const noexcept { return *task_; }

  // Those of `mask` [N] begin with trajectory 0 of their `seeds` [N] and `ids` [N] when they are
  // reset next.
  void seed(std::span<const bool> mask, std::span<const std::uint64_t> seeds,
            std::span<const std::int64_t> ids);

  // Those of `mask` [N] begin their next trajectory; writes their rows of obs [N, O]. The result
  // are MuJoCo's errors; an environment with one begins anew with its next step.
  std::vector<StreamError> reset(std::span<const bool> mask, double* obs, int num_threads);

  // One step of each with its action [N, A]; of one whose trajectory has ended, the first
  // observation of the next one, without a reward. Errors as above.
  std::vector<StreamError> step(std::span<const double> actions, ActionMap map,
                                const StepBuffers& out, int num_threads);

  // Doubles of an integration state, and that of every environment: out [N, size].
  std::size_t state_size() const noexcept;
  void states(double* out);

 private:
  struct Environment {
    DataPtr data;
    DrawAddress address;
    std::uint32_t next;  // number of the trajectory that begins next
    bool due;            // its next step begins one
    bool lost;           // no observation can be made of the state: its step is not simulated
  };
  struct Job {
    Environments* self;
    const bool* mask;
    const double* actions;
    ActionMap map;
    const StepBuffers* out;
  };

  static void make_all(const mjModel* m, mjData* d, int i, void* arg) noexcept;
  static void reset_one(const mjModel* m, mjData* d, int i, void* arg) noexcept;
  static void step_one(const mjModel* m, mjData* d, int i, void* arg) noexcept;

  void begin(Environment& e, double* obs) const noexcept;
  std::unique_lock<std::mutex> lock();

  const Task* task_;
  BatchPool* pool_;
  std::vector<Environment> all_;
  std::mutex mutex_;
};

}  // namespace pgcore
