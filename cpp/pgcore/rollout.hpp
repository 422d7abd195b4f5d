// Streams of a policy in a task, on MuJoCo's own batch engine.
//
// One stream is one call of a function by mjb_apply, on one thread, from a fresh reset. Streams
// share nothing that is written, so a result depends neither on the number of threads nor on
// scheduling.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pgcore/batch_pool.hpp"
#include "pgcore/control.hpp"
#include "pgcore/normalizer.hpp"
#include "pgcore/policy.hpp"
#include "pgcore/task.hpp"

namespace pgcore {

// Observation statistics of a stack of members; all null: the network input is the plain
// observation.
struct NormalizerStack {
  double* count = nullptr;  // [M]
  double* mean = nullptr;   // [M, O]
  double* m2 = nullptr;     // [M, O]
  double clip = 0.0;        // <= 0: none
  bool live = false;        // update at every observation; needs one stream per member
};

// What to run: S streams of a policy stack.
struct StreamPlan {
  const Task* task;
  const PolicyStack* policy;
  NormalizerStack normalizer;
  std::span<const std::int64_t> member;      // [S]
  std::span<const std::int64_t> stream_ids;  // [S], each in [0, 2^32)
  std::uint64_t seed;
  bool deterministic;    // act by the mean
  ActionMap action_map;  // ahead of the task, whose costs see what it gives
  int num_threads;
};

// Where streams stand between two calls of rollout(): each below the task's time limit.
struct StreamStates {
  double* simulator = nullptr;         // [S, N], of whole_state.hpp; N as of whole_state_size()
  std::int64_t* trajectory = nullptr;  // [S], the number of the one in hand
  std::int64_t* step = nullptr;        // [S], its steps so far; 0: it is yet to begin
};

// Statistics of the observations that each stream has made.
struct StreamMoments {
  double* count = nullptr;  // [S]
  double* mean = nullptr;   // [S, O]
  double* m2 = nullptr;     // [S, O]
};

// Where rollout() writes; row-major, [S, T, ...] unless said otherwise.
struct TransitionBuffers {
  double* obs = nullptr;                    // [S, T, O]
  float* inputs = nullptr;                  // [S, T, O]
  float* actions = nullptr;                 // [S, T, A]
  float* log_probs = nullptr;               // [S, T]
  double* rewards = nullptr;                // [S, T]
  bool* terminated = nullptr;               // [S, T]
  bool* truncated = nullptr;                // [S, T]
  bool* diverged = nullptr;                 // [S, T], the engine did not survive the step
  double* bootstrap_obs = nullptr;          // [S, K, O]
  float* bootstrap_inputs = nullptr;        // [S, K, O]
  std::int64_t* bootstrap_step = nullptr;   // [S, K]
  std::int64_t* bootstrap_count = nullptr;  // [S]
  std::int64_t* warnings = nullptr;         // [S]
  std::int64_t* reward_fault = nullptr;  // [S], the first reward term that was not finite; -1: none
  StreamMoments seen;                    // null: not wanted
  StreamStates end;                      // null: not wanted
  double* states = nullptr;              // [S, T, N], mjSTATE_INTEGRATION at obs; null: not wanted
};

// Most bootstrap observations that a stream of `steps` can have, from a reset or, going on, from
// anywhere below the time limit.
std::size_t max_bootstraps(const Task& task, std::size_t steps, bool goes_on) noexcept;

struct TrajectoryScore {
  double value = 0.0;  // sum of gamma^t r_t
  std::int64_t length = 0;
  bool diverged = false;  // with its last step
  double total = 0.0;     // sum of r_t
};

// Errors by stream, in stream order.
struct StreamError {
  std::int64_t stream;
  std::string message;
};

// Run every stream for `steps` steps, from `start` or, where that is null, from a fresh reset. An
// observation that the last call ended with is not counted again. A stream whose simulation raises
// a MuJoCo error is reported and its rows are left as far as they were written; the others finish.
// `control` can stop all streams soon, and tells how far they are.
std::vector<StreamError> rollout(const StreamPlan& plan, std::size_t steps,
                                 const StreamStates& start, const TransitionBuffers& out,
                                 BatchPool& pool, Control& control);

// Run every stream until it has taken `pairs` steps and then to the end of that trajectory.
std::vector<StreamError> evaluate(const StreamPlan& plan, std::int64_t pairs, double gamma,
                                  std::span<std::vector<TrajectoryScore>> scores,
                                  std::span<std::int64_t> warnings, BatchPool& pool,
                                  Control& control);

// Where each stream of branch() leaves its own course, and how it goes on, K times.
struct BranchPlan {
  std::span<const std::int64_t> at;      // [S], steps of the stream before the branch
  std::span<const std::uint64_t> seeds;  // [K], of the random numbers after it
  std::span<const std::uint64_t> first;  // [K], of the first action's alone
  std::int64_t tail;                     // most steps after it
  double gamma;
  bool limited;  // the time limit ends it, too
};

// Where branch() writes.
struct BranchBuffers {
  double* obs;            // [S, O], at the branch
  float* inputs;          // [S, O]
  double* returns;        // [S, K], sum of gamma^t r_t after the branch
  std::int64_t* lengths;  // [S, K]
  bool* terminated;       // [S, K], or the tail ended it
  bool* diverged;         // [S, K], then terminated
  float* actions;         // [S, K, A], the first of each; null: not wanted
  double* rewards;        // [S, K, tail], 0 after the end; null: not wanted
};

// Run every stream up to a step exactly as rollout() does; from that state, which is restored for
// each, K times with random numbers of another seed until a termination or for `tail` steps, and no
// further than the time limit where that is asked for.
std::vector<StreamError> branch(const StreamPlan& plan, const BranchPlan& branches,
                                const BranchBuffers& out, BatchPool& pool, Control& control);

// Where replay() writes; [S, T, ...]. From a step that diverged on, all is zero but the two flags.
struct ReplayBuffers {
  double* obs;
  double* rewards;
  bool* terminated;
  bool* diverged;
  double* qpos;
  double* qvel;
  double* first_obs;  // [S, O]
};

// Open loop: from qpos [S, nq] and qvel [S, nv], apply actions [S, T, A] without any reset.
std::vector<StreamError> replay(const Task& task, std::span<const double> qpos,
                                std::span<const double> qvel, std::span<const double> actions,
                                std::size_t streams, std::size_t steps, int num_threads,
                                const ReplayBuffers& out, BatchPool& pool, Control& control);

}  // namespace pgcore
