// Tests of the C++ core that need no Python; built plain and under the sanitizers.
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "check.hpp"
#include "courses.hpp"
#include "fork.hpp"
#include "pgcore/random.hpp"
#include "pgcore/returns.hpp"
#include "world.hpp"

namespace pgcore::tests {
namespace {

// The published vectors of Philox4x32-10 (Random123, kat_vectors).
void philox_known_answers() {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) ==
        (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  CHECK(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
        (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// With lambda 1 and no baseline an advantage is a discounted return.
void gae_at_lambda_one_is_the_return() {
  constexpr std::size_t kSteps = 6;
  const double rewards[kSteps] = {1, 2, 3, 4, 5, 6};
  const double zeros[kSteps] = {};
  const bool terminated[kSteps] = {false, false, true, false, false, false};
  const bool truncated[kSteps] = {false, false, false, false, true, false};
  double advantages[kSteps];
  double returns[kSteps];
  double plain[kSteps];
  gae<double>(rewards, zeros, zeros, terminated, truncated, 0.5, 1.0, advantages, returns);
  discounted_returns(rewards, zeros, terminated, truncated, 0.5, plain);
  const double expected[kSteps] = {2.75, 3.5, 3, 6.5, 5, 6};
  for (std::size_t t = 0; t < kSteps; ++t) {
    CHECK(advantages[t] == expected[t]);
    CHECK(returns[t] == expected[t]);
    CHECK(plain[t] == expected[t]);
  }
}

void same_bits_for_any_number_of_threads() {
  constexpr std::size_t kStreams = 12;
  World world("1M", 0.5, kStreams);
  Batch first(*world.task, kStreams, 90);
  CHECK(world.run(first, 1).empty());
  for (const int threads : {1, 2, 3, 8}) {
    Batch again(*world.task, kStreams, 90);
    CHECK(world.run(again, threads).empty());
    for (std::size_t s = 0; s < kStreams; ++s) CHECK(first.same_stream(again, s));
  }
  bool some_terminated = false;
  bool some_truncated = false;
  for (std::size_t i = 0; i < kStreams * 90; ++i) {
    some_terminated = some_terminated || first.terminated[i];
    some_truncated = some_truncated || first.truncated[i];
  }
  CHECK(some_terminated && some_truncated);
}

// An error in some streams is reported for them; the others are the bits of a run without errors.
void errors_stay_in_their_streams() {
  constexpr std::size_t kStreams = 16;
  World healthy("1M", 0.85, kStreams);
  World crowded("1500", 0.85, kStreams);
  Batch expected(*healthy.task, kStreams, 25);
  CHECK(healthy.run(expected, 2).empty());
  for (const int threads : {1, 3}) {
    Batch batch(*crowded.task, kStreams, 25);
    const auto errors = crowded.run(batch, threads);
    CHECK(!errors.empty() && errors.size() < kStreams);
    std::vector<bool> failed(kStreams);
    for (const auto& error : errors) {
      failed[static_cast<std::size_t>(error.stream)] = true;
      CHECK(error.message.find("memory") != std::string::npos);
    }
    for (std::size_t s = 0; s < kStreams; ++s) CHECK(failed[s] || batch.same_stream(expected, s));
  }
}

void evaluation_agrees_with_the_rollout() {
  constexpr std::size_t kStreams = 4;
  World world("1M", 0.5, kStreams);
  Batch batch(*world.task, kStreams, 90);
  CHECK(world.run(batch, 2).empty());
  std::vector<std::vector<TrajectoryScore>> scores(kStreams);
  std::vector<std::int64_t> warnings(kStreams);
  CHECK(evaluate(world.plan(2), 40, 1.0, scores, warnings, world.pool, world.control).empty());
  for (std::size_t s = 0; s < kStreams; ++s) {
    std::size_t t = 0;
    for (const auto& score : scores[s]) {
      double total = 0.0;
      for (std::int64_t i = 0; i < score.length; ++i) total += batch.rewards[s * 90 + t++];
      CHECK(total == score.value);
      CHECK(batch.terminated[s * 90 + t - 1] || batch.truncated[s * 90 + t - 1]);
    }
    CHECK(t >= 40 && t < 40 + 30);
  }
}

// Calls may overlap: each has a batch of its own, and the results are the same.
void overlapping_calls() {
  constexpr std::size_t kStreams = 6;
  World world("1M", 0.5, kStreams);
  std::vector<Batch> batches;
  for (int i = 0; i < 3; ++i) batches.emplace_back(*world.task, kStreams, 60);
  std::vector<std::thread> callers;
  for (auto& batch : batches) callers.emplace_back([&] { world.run(batch, 2); });
  for (auto& caller : callers) caller.join();
  for (std::size_t s = 0; s < kStreams; ++s) {
    CHECK(batches[0].same_stream(batches[1], s));
    CHECK(batches[0].same_stream(batches[2], s));
  }
}

// A step that the engine does not survive ends its trajectory, unpaid; no state of the engine's own
// is seen, and every event is counted.
void divergences_end_trajectories() {
  constexpr std::size_t kStreams = 4, kSteps = 300;
  World world(make_wild_hinges(0.1), kStreams);
  Batch first(*world.task, kStreams, kSteps);
  CHECK(world.run(first, 1).empty());
  Batch again(*world.task, kStreams, kSteps);
  CHECK(world.run(again, 3).empty());
  std::vector<std::vector<TrajectoryScore>> scores(kStreams);
  std::vector<std::int64_t> warnings(kStreams);
  CHECK(evaluate(world.plan(2), kSteps, 1.0, scores, warnings, world.pool, world.control).empty());
  for (std::size_t s = 0; s < kStreams; ++s) {
    CHECK(first.same_stream(again, s));
    std::int64_t events = 0;
    std::size_t trajectory = 0;
    for (std::size_t i = s * kSteps; i < (s + 1) * kSteps; ++i) {
      const bool ended = first.terminated[i] || first.truncated[i];
      CHECK(first.terminated[i] == first.diverged[i]);
      CHECK(!first.diverged[i] || first.rewards[i] == 0.0);
      if (ended && i + 1 < (s + 1) * kSteps) CHECK(first.obs[4 * (i + 1)] == 0.1);
      if (ended) CHECK(scores[s][trajectory++].diverged == first.diverged[i]);
      events += first.diverged[i];
      for (std::size_t o = 0; o < 4; ++o) CHECK(std::abs(first.obs[4 * i + o]) <= 1e10);
    }
    CHECK(events > 5 && first.warnings[s] == events);
  }
}

// Starts that the engine would not go on from: no observation, no simulated step, no bootstrap.
void bad_starts_are_divergences() {
  constexpr std::size_t kStreams = 2, kSteps = 5, O = 4;
  for (const double start : {1e11, -1e300}) {
    World world(make_wild_hinges(start), kStreams);
    Batch batch(*world.task, kStreams, kSteps);
    CHECK(world.run(batch, 2).empty());
    for (std::size_t i = 0; i < kStreams * kSteps; ++i) {
      CHECK(batch.diverged[i] && batch.terminated[i] && batch.rewards[i] == 0.0);
      for (std::size_t o = 0; o < O; ++o) CHECK(batch.obs[i * O + o] == 0.0);
    }
    CHECK(batch.warnings[0] == kSteps && batch.bootstrap_count[0] == 0);

    const std::vector<double> qpos(2 * kStreams, start), zeros(2 * kStreams * kSteps);
    Batch out(*world.task, kStreams, kSteps);
    std::vector<double> moved(2 * kStreams * kSteps), speed(2 * kStreams * kSteps),
        seen(O * kStreams);
    const ReplayBuffers buffers{out.obs.data(),     out.rewards.data(), out.terminated.get(),
                                out.diverged.get(), moved.data(),       speed.data(),
                                seen.data()};
    const std::span<const double> qvel(zeros.data(), 2 * kStreams);
    CHECK(replay(*world.task, qpos, qvel, zeros, kStreams, kSteps, 2, buffers, world.pool,
                 world.control)
              .empty());
    for (std::size_t i = 0; i < kStreams * kSteps; ++i) CHECK(out.diverged[i] && out.terminated[i]);
  }
}

// A standard deviation that overflows gives controls that MuJoCo takes for zero.
void bad_controls_are_divergences() {
  World world(make_wild_hinges(0.1), 2);
  const std::size_t size = world.params.size() / 2;
  world.params[size - 1] = world.params[2 * size - 1] = 1e4F;
  world.policy = PolicyStack({4, 5, 2}, world.kind(), world.params, 2);
  Batch batch(*world.task, 2, 4);
  CHECK(world.run(batch, 1).empty());
  for (std::size_t i = 0; i < 8; ++i) CHECK(batch.diverged[i] && batch.rewards[i] == 0.0);
  CHECK(batch.warnings[0] == 4);

  const std::vector<std::int64_t> at{0, 2};
  const std::vector<std::uint64_t> seeds{7, 9};
  std::vector<double> obs(8), returns(4);
  std::vector<float> inputs(8);
  std::vector<std::int64_t> lengths(4);
  bool terminated[4] = {}, diverged[4] = {};
  const BranchBuffers out{obs.data(), inputs.data(), returns.data(), lengths.data(),
                          terminated, diverged,      nullptr,        nullptr};
  const BranchPlan branches{at, seeds, seeds, 12, 0.9, false};
  CHECK(branch(world.plan(2), branches, out, world.pool, world.control).empty());
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(diverged[i] && terminated[i] && lengths[i] == 1 && returns[i] == 0.0);
  }
}

void cancelling_stops_a_long_call() {
  World world("1M", 0.1, 2);
  std::vector<std::vector<TrajectoryScore>> scores(2);
  std::vector<std::int64_t> warnings(2);
  std::thread caller([&] {
    evaluate(world.plan(2), 1'000'000'000'000, 1.0, scores, warnings, world.pool, world.control);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  world.control.cancel = true;
  caller.join();  // would take years
}

void bad_definitions_throw() {
  const auto refused = [](const char* memory, auto change) {
    TaskConfig config;
    make_ball(memory, 0.1);
    config.xml_path =
        (std::filesystem::temp_directory_path() / (std::string("pgcore_ball_") + memory + ".xml"))
            .string();
    config.observation = {Parameters("qpos", {})};
    change(config);
    try {
      const Task task(config);
      return false;
    } catch (const std::invalid_argument&) {
      return true;
    }
  };
  CHECK(!refused("1M", [](TaskConfig&) {}));
  CHECK(refused("1M", [](TaskConfig& c) { c.xml_path = "/nowhere.xml"; }));
  CHECK(refused("1M", [](TaskConfig& c) { c.frame_skip = 0; }));
  CHECK(refused("1M", [](TaskConfig& c) { c.observation.clear(); }));
  CHECK(refused("1M", [](TaskConfig& c) { c.reward = {Parameters("speed", {})}; }));
  CHECK(refused("1M",
                [](TaskConfig& c) { c.observation = {Parameters("qpos", {{"start", 99.0}})}; }));
}

}  // namespace
}  // namespace pgcore::tests

int main() {
  using namespace pgcore::tests;
  philox_known_answers();
  gae_at_lambda_one_is_the_return();
  same_bits_for_any_number_of_threads();
  errors_stay_in_their_streams();
  evaluation_agrees_with_the_rollout();
  continuations_start_from_the_same_state();
  a_rollout_goes_on();
  pieces_keep_every_bootstrap();
  environments_go_where_streams_do();
  errors_stay_in_their_environments();
  overlapping_calls();
  divergences_end_trajectories();
  bad_starts_are_divergences();
  bad_controls_are_divergences();
  cancelling_stops_a_long_call();
  a_forked_child_goes_on();
  bad_definitions_throw();
  std::printf(failures == 0 ? "all C++ tests passed\n" : "%d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
