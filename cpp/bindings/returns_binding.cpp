#include <pybind11/pybind11.h>

#include "checks.hpp"
#include "pgcore/normalizer.hpp"
#include "pgcore/returns.hpp"

namespace pgcore::bindings {

namespace {

struct Shape {
  py::ssize_t S;
  py::ssize_t T;
};

Shape shape_of(const py::array& rewards) {
  if (rewards.ndim() != 2) {
    throw py::value_error("rewards: expected [S, T] of float64, got " + shape_text(rewards));
  }
  return {rewards.shape(0), rewards.shape(1)};
}

template <typename T>
std::span<const T> row(std::span<const T> all, py::ssize_t s, py::ssize_t n) {
  return all.subspan(static_cast<std::size_t>(s * n), static_cast<std::size_t>(n));
}

template <typename Value>
py::tuple gae_of(const py::array& rewards, const py::array& values, const py::array& next_values,
                 const py::array& terminated, const py::array& truncated, double gamma,
                 double lam) {
  const auto [S, T] = shape_of(rewards);
  const auto r = checked<const double>(rewards, "rewards", "[S, T]", {S, T});
  const auto v = checked<const Value>(values, "values", "[S, T]", {S, T});
  const auto n = checked<const Value>(next_values, "next_values", "[S, T]", {S, T});
  const auto term = checked<const bool>(terminated, "terminated", "[S, T]", {S, T});
  const auto trunc = checked<const bool>(truncated, "truncated", "[S, T]", {S, T});
  py::array_t<double> advantages({S, T});
  py::array_t<double> returns({S, T});
  double* a = advantages.mutable_data();
  double* g = returns.mutable_data();
  {
    // only raw pointers from here on: other Python threads may run
    const py::gil_scoped_release release;
    for (py::ssize_t s = 0; s < S; ++s) {
      gae<Value>(row(r, s, T), row(v, s, T), row(n, s, T), row(term, s, T), row(trunc, s, T), gamma,
                 lam, a + s * T, g + s * T);
    }
  }
  return py::make_tuple(advantages, returns);
}

py::tuple gae_any(const py::array& rewards, const py::array& values, const py::array& next_values,
                  const py::array& terminated, const py::array& truncated, double gamma,
                  double lam) {
  const bool single = py::dtype::of<float>().equal(values.dtype());
  return (single ? gae_of<float> : gae_of<double>)(rewards, values, next_values, terminated,
                                                   truncated, gamma, lam);
}

py::array_t<double> returns_of(const py::array& rewards, const py::array& bootstrap,
                               const py::array& terminated, const py::array& truncated,
                               double gamma) {
  const auto [S, T] = shape_of(rewards);
  const auto r = checked<const double>(rewards, "rewards", "[S, T]", {S, T});
  const auto b = checked<const double>(bootstrap, "bootstrap", "[S, T]", {S, T});
  const auto term = checked<const bool>(terminated, "terminated", "[S, T]", {S, T});
  const auto trunc = checked<const bool>(truncated, "truncated", "[S, T]", {S, T});
  py::array_t<double> returns({S, T});
  double* out = returns.mutable_data();
  {
    // only raw pointers from here on: other Python threads may run
    const py::gil_scoped_release release;
    for (py::ssize_t s = 0; s < S; ++s) {
      discounted_returns(row(r, s, T), row(b, s, T), row(term, s, T), row(trunc, s, T), gamma,
                         out + s * T);
    }
  }
  return returns;
}

py::array_t<double> scale_rewards_of(const py::array& rewards, const py::array& ended,
                                     const py::array& state, double gamma, double clip) {
  const auto [S, T] = shape_of(rewards);
  const auto r = checked<const double>(rewards, "rewards", "[S, T]", {S, T});
  const auto e = checked<const bool>(ended, "ended", "[S, T]", {S, T});
  const py::ssize_t M = state.ndim() == 2 ? state.shape(0) : 0;
  if (M < 1 || S % M != 0) {
    throw py::value_error("rewards: expected as many streams of each of the " + std::to_string(M) +
                          " agents of state, got " + std::to_string(S));
  }
  const py::ssize_t k = S / M;  // streams of an agent
  const auto rows = checked<double>(state, "state", "[M, 3 + S / M]", {M, 3 + k});
  py::array_t<double> out({S, T});
  const auto pairs = static_cast<std::size_t>(k * T);
  for (py::ssize_t m = 0; m < M; ++m) {
    const auto first = static_cast<std::size_t>(m) * pairs;
    const auto own =
        rows.subspan(static_cast<std::size_t>(m * (3 + k)), static_cast<std::size_t>(3 + k));
    scale_rewards(r.subspan(first, pairs), e.subspan(first, pairs), gamma, clip, own,
                  out.mutable_data() + first);
  }
  return out;
}

}  // namespace

void bind_returns(py::module_& m) {
  m.def("gae", &gae_any, py::kw_only(), py::arg("rewards"), py::arg("values"),
        py::arg("next_values"), py::arg("terminated"), py::arg("truncated"), py::arg("gamma"),
        py::arg("lam"));
  m.def("discounted_returns", &returns_of, py::kw_only(), py::arg("rewards"), py::arg("bootstrap"),
        py::arg("terminated"), py::arg("truncated"), py::arg("gamma"));
  m.def("scale_rewards", &scale_rewards_of, py::kw_only(), py::arg("rewards"), py::arg("ended"),
        py::arg("state"), py::arg("gamma"), py::arg("clip"));
}

}  // namespace pgcore::bindings
