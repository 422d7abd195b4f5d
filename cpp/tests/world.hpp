// A small task of the tests' own (a ball that falls on a floor and is pushed sideways) and batches
// of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pgcore/rollout.hpp"

namespace pgcore::tests {

// With 1500 bytes of memory MuJoCo raises an error as soon as the ball touches the floor.
inline std::string ball_xml(const char* memory) {
  return std::string(R"(<mujoco><option timestep="0.01"/><size memory=")") + memory +
         R"("/><worldbody><geom type="plane" size="5 5 .1"/><body pos="0 0 1">
  <joint name="x" type="slide" axis="1 0 0"/><joint name="z" type="slide" axis="0 0 1"/>
  <geom type="sphere" size="0.1" mass="1"/></body></worldbody>
  <actuator><motor joint="x"/></actuator></mujoco>)";
}

// Two hinges whose motors are far too strong for the time step.
inline std::unique_ptr<Task> make_wild_hinges(double reset_qpos) {
  const auto path = std::filesystem::temp_directory_path() / "pgcore_hinges.xml";
  std::ofstream(path) << R"(<mujoco><option timestep="0.02"/><worldbody>
  <body><joint name="a" type="hinge" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 .5 0 0" size=".05"/>
  <body pos=".5 0 0"><joint name="b" type="hinge" axis="0 1 0"/>
  <geom type="capsule" fromto="0 0 0 .5 0 0" size=".05"/></body></body></worldbody>
  <actuator><motor joint="a" gear="400"/><motor joint="b" gear="400"/></actuator></mujoco>)";
  TaskConfig config;
  config.xml_path = path.string();
  config.time_limit = 100;
  config.reset = {Parameters("set", {{"target", std::string("qpos")}, {"value", reset_qpos}})};
  config.observation = {Parameters("qpos", {}), Parameters("qvel", {})};
  config.reward = {Parameters("coordinate_velocity", {})};
  return std::make_unique<Task>(config);
}

inline std::unique_ptr<Task> make_ball(const char* memory, double drop) {
  const auto path =
      std::filesystem::temp_directory_path() / (std::string("pgcore_ball_") + memory + ".xml");
  std::ofstream(path) << ball_xml(memory);
  TaskConfig config;
  config.xml_path = path.string();
  config.time_limit = 30;
  config.reset = {Parameters("uniform", {{"target", std::string("qpos")}, {"scale", drop}})};
  config.observation = {Parameters("qpos", {}), Parameters("qvel", {})};
  config.reward = {Parameters("coordinate_velocity", {})};
  config.termination = {Parameters("qpos_range", {{"index", 1.0}, {"low", -0.91}})};
  return std::make_unique<Task>(config);
}

// The arrays of one rollout, and what it was asked for.
struct Batch {
  std::size_t streams, steps, bootstraps;
  std::vector<double> obs, rewards, bootstrap_obs;
  std::vector<float> inputs, actions, log_probs, bootstrap_inputs;
  std::unique_ptr<bool[]> terminated, truncated, diverged;
  std::vector<std::int64_t> bootstrap_step, bootstrap_count, warnings, reward_fault;

  Batch(const Task& task, std::size_t S, std::size_t T, bool goes_on = false)
      : streams(S),
        steps(T),
        bootstraps(max_bootstraps(task, T, goes_on)),
        terminated(new bool[S * T]()),
        truncated(new bool[S * T]()),
        diverged(new bool[S * T]()) {
    const auto O = static_cast<std::size_t>(task.obs_dim());
    const auto A = static_cast<std::size_t>(task.act_dim());
    obs.resize(S * T * O);
    inputs.resize(S * T * O);
    actions.resize(S * T * A);
    log_probs.resize(S * T);
    rewards.resize(S * T);
    bootstrap_obs.resize(S * bootstraps * O);
    bootstrap_inputs.resize(S * bootstraps * O);
    bootstrap_step.resize(S * bootstraps);
    bootstrap_count.resize(S);
    warnings.resize(S);
    reward_fault.resize(S);
  }

  TransitionBuffers buffers() {
    return {obs.data(),
            inputs.data(),
            actions.data(),
            log_probs.data(),
            rewards.data(),
            terminated.get(),
            truncated.get(),
            diverged.get(),
            bootstrap_obs.data(),
            bootstrap_inputs.data(),
            bootstrap_step.data(),
            bootstrap_count.data(),
            warnings.data(),
            reward_fault.data(),
            {},
            {},
            nullptr};
  }

  // Whether the transitions of a stream are the same bits.
  bool same_stream(const Batch& other, std::size_t s) const {
    const auto same = [&](const auto& a, const auto& b) {
      const std::size_t row = a.size() / streams;
      return std::memcmp(a.data() + s * row, b.data() + s * row, row * sizeof(a[0])) == 0;
    };
    const auto same_flags = [&](const auto& a, const auto& b) {
      return std::memcmp(a.get() + s * steps, b.get() + s * steps, steps) == 0;
    };
    return same(obs, other.obs) && same(inputs, other.inputs) && same(actions, other.actions) &&
           same(log_probs, other.log_probs) && same(rewards, other.rewards) &&
           same(bootstrap_obs, other.bootstrap_obs) && same(warnings, other.warnings) &&
           same_flags(terminated, other.terminated) && same_flags(truncated, other.truncated) &&
           same_flags(diverged, other.diverged);
  }
};

// A policy stack of two members with fixed, uneven weights, and a plan for S streams of it.
struct World {
  std::unique_ptr<Task> task;
  BatchPool pool;
  std::vector<float> params;
  PolicyStack policy;
  std::vector<std::int64_t> member, ids;
  Control control;

  World(const char* memory, double drop, std::size_t streams)
      : World(make_ball(memory, drop), streams) {}

  World(std::unique_ptr<Task> made, std::size_t streams)
      : task(std::move(made)),
        pool(task->model()),
        params(make_params(task->act_dim())),
        policy({4, 5, task->act_dim()}, kind(), params, 2),
        member(streams),
        ids(streams) {
    std::iota(ids.begin(), ids.end(), 0);
    for (std::size_t s = 0; s < streams; ++s) member[s] = static_cast<std::int64_t>(s % 2);
  }

  static PolicyKind kind() {
    return {parse_activation("tanh"), parse_activation("linear"), StdMap::kFree, 0.0, 0.0, 0.0};
  }

  static std::vector<float> make_params(int act_dim) {
    const auto A = static_cast<std::size_t>(act_dim);
    std::vector<float> values(2 * (4 * 5 + 5 + 5 * A + A + A));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0.1F * static_cast<float>(static_cast<int>(i * 7 % 13) - 6);
    }
    return values;
  }

  StreamPlan plan(int threads) const {
    return {task.get(), &policy, {}, member, ids, 5, false, ActionMap::kNone, threads};
  }

  std::vector<StreamError> run(Batch& batch, int threads) {
    return rollout(plan(threads), batch.steps, {}, batch.buffers(), pool, control);
  }
};

}  // namespace pgcore::tests
