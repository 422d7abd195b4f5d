#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "checks.hpp"
#include "interruptible.hpp"
#include "pgcore/rollout.hpp"
#include "policy_binding.hpp"
#include "stream_call.hpp"
#include "task_binding.hpp"

namespace pgcore::bindings {

namespace {

py::dict collect(TaskHandle& task, const py::array& params, const std::vector<int>& sizes,
                 const py::dict& kind, const py::array& member, const py::array& stream_ids,
                 std::uint64_t seed, bool deterministic, const std::string& action_map,
                 int num_threads, const Normalizer& normalizer, py::ssize_t steps, bool watch,
                 const States& start, bool keep_end, bool keep_states) {
  Call call(task, params, sizes, kind, member, stream_ids, seed, deterministic, action_map,
            num_threads);
  use_normalizer(call, normalizer);
  if (steps < 1)
    throw py::value_error("steps: expected a count >= 1, got " + std::to_string(steps));
  const py::ssize_t S = member.size();
  const py::ssize_t O = task.task.obs_dim();
  const py::ssize_t A = task.task.act_dim();
  const auto K = static_cast<py::ssize_t>(
      max_bootstraps(task.task, static_cast<std::size_t>(steps), start.has_value()));

  auto obs = zeros<double>({S, steps, O});
  auto inputs = zeros<float>({S, steps, O});
  auto actions = zeros<float>({S, steps, A});
  auto log_probs = zeros<float>({S, steps});
  auto rewards = zeros<double>({S, steps});
  auto terminated = zeros<bool>({S, steps});
  auto truncated = zeros<bool>({S, steps});
  auto diverged = zeros<bool>({S, steps});
  auto bootstrap_obs = zeros<double>({S, K, O});
  auto bootstrap_inputs = zeros<float>({S, K, O});
  auto bootstrap_step = zeros<std::int64_t>({S, K});
  auto bootstrap_count = zeros<std::int64_t>({S});
  auto warnings = zeros<std::int64_t>({S});
  auto reward_fault = zeros<std::int64_t>({S});
  const py::ssize_t W = watch ? S : 0;
  auto seen_count = zeros<double>({W});
  auto seen_mean = zeros<double>({W, O});
  auto seen_m2 = zeros<double>({W, O});
  const py::ssize_t E = keep_end ? S : 0;
  const py::ssize_t N = keep_end ? static_cast<py::ssize_t>(task.state_size()) : 0;
  auto end_simulator = zeros<double>({E, N});
  auto end_trajectory = zeros<std::int64_t>({E});
  auto end_step = zeros<std::int64_t>({E});
  TransitionBuffers out{obs.mutable_data(),
                        inputs.mutable_data(),
                        actions.mutable_data(),
                        log_probs.mutable_data(),
                        rewards.mutable_data(),
                        terminated.mutable_data(),
                        truncated.mutable_data(),
                        diverged.mutable_data(),
                        bootstrap_obs.mutable_data(),
                        bootstrap_inputs.mutable_data(),
                        bootstrap_step.mutable_data(),
                        bootstrap_count.mutable_data(),
                        warnings.mutable_data(),
                        reward_fault.mutable_data(),
                        {},
                        {},
                        nullptr};
  const py::ssize_t kept = keep_states ? S : 0;
  const auto state_size =
      static_cast<py::ssize_t>(mj_stateSize(&task.task.model(), mjSTATE_INTEGRATION));
  auto states = zeros<double>({kept, steps, state_size});
  if (keep_states) out.states = states.mutable_data();
  if (watch) {
    out.seen = {seen_count.mutable_data(), seen_mean.mutable_data(), seen_m2.mutable_data()};
  }
  if (keep_end) {
    out.end = {end_simulator.mutable_data(), end_trajectory.mutable_data(),
               end_step.mutable_data()};
  }
  const StreamStates from = to_states(start, task, S);

  const auto errors = run_interruptible([&](Control& control) {
    return rollout(call.plan, static_cast<std::size_t>(steps), from, out, task.pool, control);
  });
  py::dict result;
  result["obs"] = obs;
  result["inputs"] = inputs;
  result["actions"] = actions;
  result["log_probs"] = log_probs;
  result["rewards"] = rewards;
  result["terminated"] = terminated;
  result["truncated"] = truncated;
  result["diverged"] = diverged;
  result["bootstrap_obs"] = bootstrap_obs;
  result["bootstrap_inputs"] = bootstrap_inputs;
  result["bootstrap_step"] = bootstrap_step;
  result["bootstrap_count"] = bootstrap_count;
  result["warnings"] = warnings;
  result["reward_fault"] = reward_fault;
  result["seen"] = py::make_tuple(seen_count, seen_mean, seen_m2);
  result["end"] = py::make_tuple(end_simulator, end_trajectory, end_step);
  result["states"] = states;
  result["errors"] = to_python(errors);
  return result;
}

py::dict evaluate_streams(TaskHandle& task, const py::array& params, const std::vector<int>& sizes,
                          const py::dict& kind, const py::array& member,
                          const py::array& stream_ids, std::uint64_t seed, bool deterministic,
                          const std::string& action_map, int num_threads,
                          const Normalizer& normalizer, std::int64_t pairs, double gamma) {
  Call call(task, params, sizes, kind, member, stream_ids, seed, deterministic, action_map,
            num_threads);
  use_normalizer(call, normalizer);
  if (pairs < 1) throw py::value_error("pairs: expected a count >= 1 per stream");
  const auto streams = static_cast<std::size_t>(member.size());
  std::vector<std::vector<TrajectoryScore>> scores(streams);
  auto warnings = zeros<std::int64_t>({member.size()});
  const std::span<std::int64_t> warning_span(warnings.mutable_data(), streams);

  const auto errors = run_interruptible([&](Control& control) {
    return evaluate(call.plan, pairs, gamma, scores, warning_span, task.pool, control);
  });
  std::size_t total = 0;
  for (const auto& list : scores) total += list.size();
  py::array_t<double> values(static_cast<py::ssize_t>(total));
  py::array_t<double> totals(static_cast<py::ssize_t>(total));
  py::array_t<std::int64_t> lengths(static_cast<py::ssize_t>(total));
  py::array_t<bool> diverged(static_cast<py::ssize_t>(total));
  py::array_t<std::int64_t> stream(static_cast<py::ssize_t>(total));
  std::size_t i = 0;
  for (std::size_t s = 0; s < streams; ++s) {
    for (const auto& score : scores[s]) {
      values.mutable_data()[i] = score.value;
      totals.mutable_data()[i] = score.total;
      lengths.mutable_data()[i] = score.length;
      diverged.mutable_data()[i] = score.diverged;
      stream.mutable_data()[i++] = static_cast<std::int64_t>(s);
    }
  }
  py::dict result;
  result["returns"] = values;
  result["totals"] = totals;
  result["lengths"] = lengths;
  result["diverged"] = diverged;
  result["stream"] = stream;
  result["warnings"] = warnings;
  result["errors"] = to_python(errors);
  return result;
}

py::dict branch_streams(TaskHandle& task, const py::array& params, const std::vector<int>& sizes,
                        const py::dict& kind, const py::array& member, const py::array& stream_ids,
                        std::uint64_t seed, bool deterministic, const std::string& action_map,
                        int num_threads, const Normalizer& normalizer, const py::array& at,
                        const py::array& seeds, const py::array& first, std::int64_t tail,
                        double gamma, bool limited, bool keep_rewards) {
  Call call(task, params, sizes, kind, member, stream_ids, seed, deterministic, action_map,
            num_threads);
  use_normalizer(call, normalizer);
  const py::ssize_t S = member.size();
  const py::ssize_t O = task.task.obs_dim();
  const py::ssize_t K = seeds.size();
  const BranchPlan branches{checked<const std::int64_t>(at, "at", "[S]", {S}),
                            checked<const std::uint64_t>(seeds, "seeds", "[K]", {K}),
                            checked<const std::uint64_t>(first, "first", "[K]", {K}),
                            tail,
                            gamma,
                            limited};
  auto obs = zeros<double>({S, O});
  auto inputs = zeros<float>({S, O});
  auto returns = zeros<double>({S, K});
  auto lengths = zeros<std::int64_t>({S, K});
  auto terminated = zeros<bool>({S, K});
  auto diverged = zeros<bool>({S, K});
  auto actions = zeros<float>({S, K, task.task.act_dim()});
  auto rewards = zeros<double>({S, K, keep_rewards ? tail : 0});
  const BranchBuffers out{
      obs.mutable_data(),        inputs.mutable_data(),
      returns.mutable_data(),    lengths.mutable_data(),
      terminated.mutable_data(), diverged.mutable_data(),
      actions.mutable_data(),    keep_rewards ? rewards.mutable_data() : nullptr};
  const auto errors = run_interruptible(
      [&](Control& control) { return branch(call.plan, branches, out, task.pool, control); });
  py::dict result;
  result["obs"] = obs;
  result["inputs"] = inputs;
  result["returns"] = returns;
  result["lengths"] = lengths;
  result["terminated"] = terminated;
  result["diverged"] = diverged;
  result["actions"] = actions;
  result["rewards"] = rewards;
  result["errors"] = to_python(errors);
  return result;
}

py::dict replay_streams(TaskHandle& task, const py::array& qpos, const py::array& qvel,
                        const py::array& actions, int num_threads) {
  const mjModel& m = task.task.model();
  const py::ssize_t S = actions.ndim() == 3 ? actions.shape(0) : 0;
  const py::ssize_t T = actions.ndim() == 3 ? actions.shape(1) : 0;
  const py::ssize_t O = task.task.obs_dim();
  const auto action_span =
      checked<const double>(actions, "actions", "[S, T, A]", {S, T, task.task.act_dim()});
  const auto qpos_span = checked<const double>(qpos, "qpos", "[S, nq]", {S, m.nq});
  const auto qvel_span = checked<const double>(qvel, "qvel", "[S, nv]", {S, m.nv});
  auto obs = zeros<double>({S, T, O});
  auto rewards = zeros<double>({S, T});
  auto terminated = zeros<bool>({S, T});
  auto diverged = zeros<bool>({S, T});
  auto out_qpos = zeros<double>({S, T, m.nq});
  auto out_qvel = zeros<double>({S, T, m.nv});
  auto first_obs = zeros<double>({S, O});
  const ReplayBuffers out{obs.mutable_data(),        rewards.mutable_data(),
                          terminated.mutable_data(), diverged.mutable_data(),
                          out_qpos.mutable_data(),   out_qvel.mutable_data(),
                          first_obs.mutable_data()};
  const auto errors = run_interruptible([&](Control& control) {
    return replay(task.task, qpos_span, qvel_span, action_span, static_cast<std::size_t>(S),
                  static_cast<std::size_t>(T), num_threads, out, task.pool, control);
  });
  py::dict result;
  result["obs"] = obs;
  result["rewards"] = rewards;
  result["terminated"] = terminated;
  result["diverged"] = diverged;
  result["qpos"] = out_qpos;
  result["qvel"] = out_qvel;
  result["first_obs"] = first_obs;
  result["errors"] = to_python(errors);
  return result;
}

}  // namespace

void bind_rollout(py::module_& m) {
  m.def("collect", &collect, py::kw_only(), py::arg("task"), py::arg("params"), py::arg("sizes"),
        py::arg("kind"), py::arg("member"), py::arg("stream_ids"), py::arg("seed"),
        py::arg("deterministic"), py::arg("action_map"), py::arg("num_threads"),
        py::arg("normalizer"), py::arg("steps"), py::arg("watch"), py::arg("start"),
        py::arg("keep_end"), py::arg("keep_states"));
  m.def("evaluate", &evaluate_streams, py::kw_only(), py::arg("task"), py::arg("params"),
        py::arg("sizes"), py::arg("kind"), py::arg("member"), py::arg("stream_ids"),
        py::arg("seed"), py::arg("deterministic"), py::arg("action_map"), py::arg("num_threads"),
        py::arg("normalizer"), py::arg("pairs"), py::arg("gamma"));
  m.def("branch", &branch_streams, py::kw_only(), py::arg("task"), py::arg("params"),
        py::arg("sizes"), py::arg("kind"), py::arg("member"), py::arg("stream_ids"),
        py::arg("seed"), py::arg("deterministic"), py::arg("action_map"), py::arg("num_threads"),
        py::arg("normalizer"), py::arg("at"), py::arg("seeds"), py::arg("first"), py::arg("tail"),
        py::arg("gamma"), py::arg("limited"), py::arg("keep_rewards"));
  m.def("replay", &replay_streams, py::kw_only(), py::arg("task"), py::arg("qpos"), py::arg("qvel"),
        py::arg("actions"), py::arg("num_threads"));
}

}  // namespace pgcore::bindings
