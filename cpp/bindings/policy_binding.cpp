#include "policy_binding.hpp"

#include <pybind11/stl.h>

#include <string>
#include <utility>

#include "checks.hpp"

namespace pgcore::bindings {

PolicyStack make_policy(const py::array& params, const std::vector<int>& sizes,
                        const py::dict& kind) {
  const auto name = [&](const char* key) { return kind[key].cast<std::string>(); };
  const auto [low, high] = kind["log_std_range"].cast<std::pair<double, double>>();
  const PolicyKind native{
      parse_activation(name("activation")),
      parse_activation(name("mean_map")),
      parse_std(name("std"), name("std_map")),
      low,
      high,
      kind["min_std"].cast<double>(),
  };
  const py::ssize_t members = params.ndim() == 2 ? params.shape(0) : 0;
  const auto flat = checked<const float>(params, "params", "[M, P]",
                                         {members, params.ndim() == 2 ? params.shape(1) : 0});
  return {sizes, native, flat, static_cast<int>(members)};
}

namespace {

// Mean [M, B, A] and standard deviation [M, B, A] of the actions of every member for its inputs
// [M, B, O]: what streams compute, exposed so that tests can compare it with torch.
py::tuple policy_outputs(const py::array& params, const std::vector<int>& sizes,
                         const py::dict& kind, const py::array& inputs) {
  const PolicyStack policy = make_policy(params, sizes, kind);
  const py::ssize_t members = policy.members();
  const py::ssize_t rows = inputs.ndim() == 3 ? inputs.shape(1) : 0;
  const auto x =
      checked<const float>(inputs, "inputs", "[M, B, O]", {members, rows, policy.obs_dim()});
  const py::ssize_t act_dim = policy.act_dim();
  py::array_t<float> mean({members, rows, act_dim});
  py::array_t<double> std({members, rows, act_dim});
  std::vector<float> scratch(policy.scratch_size());
  std::vector<float> out(policy.output_size());
  for (py::ssize_t i = 0; i < members * rows; ++i) {
    const auto member = static_cast<int>(i / rows);
    policy.run(member, x.data() + i * policy.obs_dim(), scratch.data(), out.data());
    std::copy_n(out.data(), act_dim, mean.mutable_data() + i * act_dim);
    GaussianHead head{std.mutable_data() + i * act_dim, 0.0, policy.act_dim()};
    head.load(policy.kind(), policy.free_std() ? policy.log_std(member) : out.data() + act_dim);
  }
  return py::make_tuple(mean, std);
}

py::array_t<float> activate(const std::string& activation, const py::array& values) {
  const auto x = checked<const float>(values, "values", "[N]", {values.size()});
  py::array_t<float> out(values.size());
  std::copy(x.begin(), x.end(), out.mutable_data());
  parse_activation(activation)(out.mutable_data(), x.size());
  return out;
}

}  // namespace

void bind_policy(py::module_& m) {
  m.def("policy_outputs", &policy_outputs, py::kw_only(), py::arg("params"), py::arg("sizes"),
        py::arg("kind"), py::arg("inputs"));
  m.def("activate", &activate, py::arg("activation"), py::arg("values"));
}

}  // namespace pgcore::bindings
