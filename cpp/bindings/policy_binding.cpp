#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "checks.hpp"
#include "pgcore/policy.hpp"

namespace pgcore::bindings {

namespace {

// Mean actions [M, B, A] of every member for its inputs [M, B, O]: what streams compute, exposed so
// that tests can compare it with torch.
py::array_t<float> policy_mean(const py::array& params, const std::vector<int>& sizes,
                               const std::string& activation, const py::array& inputs) {
  const py::ssize_t members = params.ndim() == 2 ? params.shape(0) : 0;
  const auto flat = checked<const float>(params, "params", "[M, P]",
                                         {members, params.ndim() == 2 ? params.shape(1) : 0});
  const PolicyStack policy(sizes, parse_activation(activation), flat, static_cast<int>(members));
  const py::ssize_t rows = inputs.ndim() == 3 ? inputs.shape(1) : 0;
  const auto x =
      checked<const float>(inputs, "inputs", "[M, B, O]", {members, rows, policy.obs_dim()});
  py::array_t<float> out({members, rows, static_cast<py::ssize_t>(policy.act_dim())});
  std::vector<float> scratch(policy.scratch_size());
  for (py::ssize_t i = 0; i < members * rows; ++i) {
    policy.mean(static_cast<int>(i / rows), x.data() + i * policy.obs_dim(), scratch.data(),
                out.mutable_data() + i * policy.act_dim());
  }
  return out;
}

py::array_t<float> activate_array(const std::string& activation, const py::array& values) {
  const auto x = checked<const float>(values, "values", "[N]", {values.size()});
  py::array_t<float> out(values.size());
  std::copy(x.begin(), x.end(), out.mutable_data());
  parse_activation(activation)(out.mutable_data(), x.size());
  return out;
}

}  // namespace

void bind_policy(py::module_& m) {
  m.def("policy_mean", &policy_mean, py::kw_only(), py::arg("params"), py::arg("sizes"),
        py::arg("activation"), py::arg("inputs"));
  m.def("activate", &activate_array, py::arg("activation"), py::arg("values"));
}

}  // namespace pgcore::bindings
