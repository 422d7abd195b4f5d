#include "courses.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "check.hpp"
#include "pgcore/environments.hpp"
#include "pgcore/whole_state.hpp"
#include "world.hpp"

namespace pgcore::tests {

// A state is restored for each continuation: what another one did is forgotten, on any thread. The
// first two share their first action, and go on apart.
void continuations_start_from_the_same_state() {
  constexpr std::size_t kStreams = 6, kTails = 3, O = 4;
  World world("1M", 0.5, kStreams);
  const std::vector<std::int64_t> at{0, 3, 8, 21, 33, 40};
  const std::vector<std::uint64_t> seeds{7, 9, 7}, first_seeds{7, 7, 7};
  std::vector<double> first;
  for (const int threads : {1, 3}) {
    std::vector<double> obs(kStreams * O), returns(kStreams * kTails);
    std::vector<float> inputs(kStreams * O), actions(kStreams * kTails);
    std::vector<double> rewards(kStreams * kTails * 12);
    std::vector<std::int64_t> lengths(kStreams * kTails);
    const auto terminated = std::make_unique<bool[]>(kStreams * kTails);
    const auto diverged = std::make_unique<bool[]>(kStreams * kTails);
    const BranchBuffers out{obs.data(),       inputs.data(),  returns.data(), lengths.data(),
                            terminated.get(), diverged.get(), actions.data(), rewards.data()};
    const BranchPlan branches{at, seeds, first_seeds, 12, 0.9, false};
    CHECK(branch(world.plan(threads), branches, out, world.pool, world.control).empty());
    for (std::size_t s = 0; s < kStreams; ++s) {
      CHECK(actions[s * kTails] == actions[s * kTails + 1]);
      CHECK(rewards[s * kTails * 12] == rewards[(s * kTails + 1) * 12]);
      double sum = 0.0, discount = 1.0;
      for (std::size_t t = 0; t < 12; ++t, discount *= 0.9) {
        sum += discount * rewards[s * kTails * 12 + t];
      }
      CHECK(sum == returns[s * kTails]);
      CHECK(returns[s * kTails] == returns[s * kTails + 2]);
      CHECK(returns[s * kTails] != returns[s * kTails + 1]);
    }
    if (first.empty()) first = returns;
    CHECK(first == returns);
  }
}

// Two calls, the second from where the first one ended, give what one would.
void a_rollout_goes_on() {
  World world("1M", 0.3, 4);
  Batch whole(*world.task, 4, 30);
  CHECK(world.run(whole, 2).empty());
  const std::unique_ptr<mjData, void (*)(mjData*)> data(mj_makeData(&world.task->model()),
                                                        mj_deleteData);
  const std::size_t N = whole_state_size(*data);
  std::vector<double> simulator(4 * N);
  std::vector<std::int64_t> trajectory(4), step(4);
  const StreamStates states{simulator.data(), trajectory.data(), step.data()};
  Batch first(*world.task, 4, 11);
  Batch second(*world.task, 4, 19, true);
  TransitionBuffers out = first.buffers();
  out.end = states;
  CHECK(rollout(world.plan(3), 11, {}, out, world.pool, world.control).empty());
  CHECK(rollout(world.plan(1), 19, states, second.buffers(), world.pool, world.control).empty());
  for (std::size_t s = 0; s < 4; ++s) {
    for (std::size_t t = 0; t < 30; ++t) {
      const double reward = t < 11 ? first.rewards[s * 11 + t] : second.rewards[s * 19 + t - 11];
      CHECK(reward == whole.rewards[s * 30 + t]);
    }
  }
}

// Pieces of any length, each from where the last one ended, have all bootstraps: one of every
// truncation and of every cut. The ball of this drop never ends before its time, so that pieces of
// 1 to 31 steps meet the limit of 30 in their first, inner and last steps.
void pieces_keep_every_bootstrap() {
  constexpr std::size_t kStreams = 3, O = 4;
  World world("1M", 0.0, kStreams);
  const std::unique_ptr<mjData, void (*)(mjData*)> data(mj_makeData(&world.task->model()),
                                                        mj_deleteData);
  const std::size_t N = whole_state_size(*data);
  std::vector<double> simulator(kStreams * N);
  std::vector<std::int64_t> trajectory(kStreams), step(kStreams);
  const StreamStates states{simulator.data(), trajectory.data(), step.data()};
  for (std::size_t steps = 1; steps <= 31; ++steps) {
    StreamStates start;
    for (std::size_t taken = 0; taken < 95; taken += steps) {
      Batch piece(*world.task, kStreams, steps, start.simulator != nullptr);
      TransitionBuffers out = piece.buffers();
      out.end = states;
      CHECK(rollout(world.plan(2), steps, start, out, world.pool, world.control).empty());
      start = states;
      for (std::size_t s = 0; s < kStreams; ++s) {
        std::size_t k = 0;
        for (std::size_t t = 0; t < steps; ++t) {
          CHECK(!piece.terminated[s * steps + t]);
          CHECK(piece.truncated[s * steps + t] == ((taken + t + 1) % 30 == 0));
          if (!piece.truncated[s * steps + t] && t + 1 < steps) continue;
          CHECK(piece.bootstrap_step[s * piece.bootstraps + k] == static_cast<std::int64_t>(t));
          CHECK(piece.bootstrap_obs[(s * piece.bootstraps + k) * O + 1] != 0.0);
          ++k;
        }
        CHECK(piece.bootstrap_count[s] == static_cast<std::int64_t>(k));
      }
    }
  }
}

// Environments with a stream's actions go where it went, on any thread; the seed begins them anew.
void environments_go_where_streams_do() {
  constexpr std::size_t kStreams = 4, kSteps = 60, O = 4;
  World world("1M", 0.3, kStreams);
  Batch batch(*world.task, kStreams, kSteps);
  CHECK(world.run(batch, 2).empty());
  Environments envs(*world.task, world.pool, kStreams);
  const bool everyone[kStreams] = {true, true, true, true};
  const std::vector<std::uint64_t> seeds(kStreams, world.plan(1).seed);
  std::vector<double> obs(kStreams * O), last(kStreams * O), rewards(kStreams), act(kStreams);
  bool terminated[kStreams] = {}, truncated[kStreams] = {}, diverged[kStreams] = {};
  const StepBuffers out{.obs = obs.data(),
                        .rewards = rewards.data(),
                        .terminated = terminated,
                        .truncated = truncated,
                        .diverged = diverged,
                        .final_obs = last.data()};
  for (const int threads : {1, 3}) {
    envs.seed(everyone, seeds, world.ids);
    CHECK(envs.reset(everyone, obs.data(), threads).empty());
    for (std::size_t t = 0; t < kSteps; ++t) {
      for (std::size_t s = 0; s < kStreams; ++s) {
        const std::size_t i = s * kSteps + t;
        CHECK(std::equal(&obs[s * O], &obs[s * O] + O, &batch.obs[i * O]));
        act[s] = batch.actions[i];
      }
      CHECK(envs.step(act, ActionMap::kNone, out, threads).empty());
      for (std::size_t s = 0; s < kStreams; ++s) {
        const std::size_t i = s * kSteps + t;
        CHECK(rewards[s] == batch.rewards[i] && terminated[s] == batch.terminated[i]);
        CHECK(truncated[s] == batch.truncated[i] && !diverged[s]);
      }
    }
  }
}

// MuJoCo's error is reported, and its environment begins anew with the next step. On one thread:
// a simulation that fails leaves by longjmp, past what tells ThreadSanitizer that it has ended.
void errors_stay_in_their_environments() {
  constexpr std::size_t kStreams = 2, O = 4;
  World world("1500", 0.85, kStreams);
  Environments envs(*world.task, world.pool, kStreams);
  const bool everyone[kStreams] = {true, true}, first[kStreams] = {true, false};
  const std::vector<std::uint64_t> seeds(kStreams, 5);
  std::vector<double> obs(kStreams * O), rewards(kStreams), act(kStreams, 0.0);
  bool terminated[kStreams] = {}, truncated[kStreams] = {}, diverged[kStreams] = {};
  const StepBuffers out{.obs = obs.data(),
                        .rewards = rewards.data(),
                        .terminated = terminated,
                        .truncated = truncated,
                        .diverged = diverged,
                        .final_obs = nullptr};
  envs.seed(everyone, seeds, world.ids);
  CHECK(envs.reset(everyone, obs.data(), 1).empty());
  std::vector<StreamError> errors;
  for (int t = 0; t < 400 && errors.empty(); ++t) {
    errors = envs.step(act, ActionMap::kNone, out, 1);
  }
  CHECK(errors.size() == 1);
  const auto failed = static_cast<std::size_t>(errors[0].stream);
  const double fallen = obs[failed * O + 1];  // where it was before it fell further
  envs.step(act, ActionMap::kNone, out, 1);
  CHECK(rewards[failed] == 0.0 && obs[failed * O + 1] > fallen);  // it begins from above
  CHECK(envs.reset(first, obs.data(), 1).empty());
}

}  // namespace pgcore::tests
