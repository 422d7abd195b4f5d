#include <pybind11/pybind11.h>

#include <memory>
#include <vector>

#include "checks.hpp"
#include "pgcore/environments.hpp"
#include "stream_call.hpp"
#include "task_binding.hpp"

namespace pgcore::bindings {

namespace {

py::ssize_t count(const Environments& e) { return static_cast<py::ssize_t>(e.size()); }

py::list reset(Environments& e, const py::array& mask, const py::array& obs, int num_threads) {
  const py::ssize_t N = count(e);
  const auto chosen = checked<const bool>(mask, "mask", "[N]", {N});
  const auto out = checked<double>(obs, "obs", "[N, O]", {N, e.task().obs_dim()});
  std::vector<StreamError> errors;
  {
    // every Python object has become a pointer; a call is short, so nothing looks for interrupts
    const py::gil_scoped_release release;
    errors = e.reset(chosen, out.data(), num_threads);
  }
  return to_python(errors);
}

py::list step(Environments& e, const py::array& actions, const std::string& action_map,
              const py::array& obs, const py::array& rewards, const py::array& terminated,
              const py::array& truncated, const py::array& diverged,
              const std::optional<py::array>& final_obs, int num_threads) {
  const py::ssize_t N = count(e), O = e.task().obs_dim(), A = e.task().act_dim();
  const auto act = checked<const double>(actions, "actions", "[N, A]", {N, A});
  StepBuffers out{.obs = checked<double>(obs, "obs", "[N, O]", {N, O}).data(),
                  .rewards = checked<double>(rewards, "rewards", "[N]", {N}).data(),
                  .terminated = checked<bool>(terminated, "terminated", "[N]", {N}).data(),
                  .truncated = checked<bool>(truncated, "truncated", "[N]", {N}).data(),
                  .diverged = checked<bool>(diverged, "diverged", "[N]", {N}).data(),
                  .final_obs = nullptr};
  if (final_obs) out.final_obs = checked<double>(*final_obs, "final_obs", "[N, O]", {N, O}).data();
  const ActionMap map = parse_action_map(action_map);
  std::vector<StreamError> errors;
  {
    // as in reset()
    const py::gil_scoped_release release;
    errors = e.step(act, map, out, num_threads);
  }
  return to_python(errors);
}

}  // namespace

void bind_environments(py::module_& m) {
  py::class_<Environments>(m, "Environments")
      .def(py::init([](TaskHandle& task, std::size_t count) {
             return std::make_unique<Environments>(task.task, task.pool, count);
           }),
           py::arg("task"), py::arg("count"), py::keep_alive<1, 2>())
      .def(
          "seed",
          [](Environments& e, const py::array& mask, const py::array& seeds, const py::array& ids) {
            const py::ssize_t N = count(e);
            e.seed(checked<const bool>(mask, "mask", "[N]", {N}),
                   checked<const std::uint64_t>(seeds, "seeds", "[N]", {N}),
                   checked<const std::int64_t>(ids, "ids", "[N]", {N}));
          },
          py::kw_only(), py::arg("mask"), py::arg("seeds"), py::arg("ids"))
      .def("reset", &reset, py::kw_only(), py::arg("mask"), py::arg("obs"), py::arg("num_threads"))
      .def("step", &step, py::kw_only(), py::arg("actions"), py::arg("action_map"), py::arg("obs"),
           py::arg("rewards"), py::arg("terminated"), py::arg("truncated"), py::arg("diverged"),
           py::arg("final_obs"), py::arg("num_threads"))
      .def("states", [](Environments& e) {
        auto out = zeros<double>({count(e), static_cast<py::ssize_t>(e.state_size())});
        e.states(out.mutable_data());
        return out;
      });
}

}  // namespace pgcore::bindings
