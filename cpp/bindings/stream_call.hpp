// What every native call on streams takes and gives, between Python and the core.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "checks.hpp"
#include "pgcore/rollout.hpp"
#include "policy_binding.hpp"
#include "task_binding.hpp"

namespace pgcore::bindings {

// Everything that rollout and evaluate have in common, checked.
struct Call {
  TaskHandle* task;
  PolicyStack policy;
  StreamPlan plan;

  Call(TaskHandle& handle, const py::array& params, const std::vector<int>& sizes,
       const py::dict& kind, const py::array& member, const py::array& stream_ids,
       std::uint64_t seed, bool deterministic, const std::string& action_map, int num_threads)
      : task(&handle),
        policy(make_policy(params, sizes, kind)),
        plan{&handle.task,
             &policy,
             {},
             checked<const std::int64_t>(member, "member", "[S]", {member.size()}),
             checked<const std::int64_t>(stream_ids, "stream_ids", "[S]", {member.size()}),
             seed,
             deterministic,
             parse_action_map(action_map),
             num_threads} {
    check("obs_dim", policy.obs_dim(), handle.task.obs_dim());
    check("act_dim", policy.act_dim(), handle.task.act_dim());
    if (member.size() < 1) throw py::value_error("streams: expected at least one stream, got none");
    if (num_threads < 1) throw py::value_error("num_threads: expected a count >= 1");
    for (const auto id : plan.member) {
      if (id < 0 || id >= policy.members()) {
        throw py::value_error("streams: expected members from 0 to " +
                              std::to_string(policy.members() - 1) + ", got " + std::to_string(id));
      }
    }
    for (const auto id : plan.stream_ids) {
      if (id < 0 || id > std::numeric_limits<std::uint32_t>::max()) {
        throw py::value_error("stream_ids: expected ids from 0 to 2^32 - 1, got " +
                              std::to_string(id));
      }
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  static void check(const char* name, int policy, int task) {
    if (policy == task) return;
    throw py::value_error(std::string("policy: expected ") + name + " " + std::to_string(task) +
                          " of the task, got " + std::to_string(policy));
  }

  // The arrays stay the caller's; with `live` they are updated in place.
  void use_normalizer(const py::array& count, const py::array& mean, const py::array& m2,
                      double clip, bool live) {
    const py::ssize_t members = policy.members();
    plan.normalizer = {
        checked<double>(count, "normalizer.count", "[M]", {members}).data(),
        checked<double>(mean, "normalizer.mean", "[M, O]", {members, policy.obs_dim()}).data(),
        checked<double>(m2, "normalizer.m2", "[M, O]", {members, policy.obs_dim()}).data(), clip,
        live};
  }
};

using Normalizer = std::optional<std::tuple<py::array, py::array, py::array, double, bool>>;

inline void use_normalizer(Call& call, const Normalizer& normalizer) {
  if (!normalizer) return;
  const auto& [count, mean, m2, clip, live] = *normalizer;
  call.use_normalizer(count, mean, m2, clip, live);
}

inline py::list to_python(const std::vector<StreamError>& errors) {
  py::list out;
  for (const auto& error : errors) out.append(py::make_tuple(error.stream, error.message));
  return out;
}

using States = std::optional<std::tuple<py::array, py::array, py::array>>;

inline void check_range(const char* name, std::span<const std::int64_t> values, std::int64_t most) {
  const auto outside = [most](std::int64_t x) { return x < 0 || x > most; };
  const auto found = std::ranges::find_if(values, outside);
  if (found == values.end()) return;
  throw py::value_error(std::string(name) + ": expected numbers from 0 to " + std::to_string(most) +
                        ", got " + std::to_string(*found));
}

// Where the streams of a call stand, checked; null pointers for none.
inline StreamStates to_states(const States& states, TaskHandle& task, py::ssize_t S) {
  if (!states) return {};
  const auto N = static_cast<py::ssize_t>(task.state_size());
  const auto& [simulator, trajectory, step] = *states;
  const auto trajectories = checked<std::int64_t>(trajectory, "start.trajectory", "[S]", {S});
  const auto steps = checked<std::int64_t>(step, "start.step", "[S]", {S});
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  const int limit = task.task.time_limit();
  check_range("start.trajectory", trajectories, kMost);
  check_range("start.step", steps, limit > 0 ? limit - 1 : kMost);
  return {checked<double>(simulator, "start.simulator", "[S, N]", {S, N}).data(),
          trajectories.data(), steps.data()};
}

template <typename T>
py::array_t<T> zeros(std::vector<py::ssize_t> shape) {
  py::array_t<T> out(std::move(shape));
  std::fill_n(out.mutable_data(), out.size(), T{});
  return out;
}

}  // namespace pgcore::bindings
