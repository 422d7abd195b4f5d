// How a policy stack comes from Python.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <vector>

#include "pgcore/policy.hpp"

namespace pgcore::bindings {

// params: [M, P] float32, not copied. kind: what GaussianPolicy.kind() says. Throws ValueError.
PolicyStack make_policy(const pybind11::array& params, const std::vector<int>& sizes,
                        const pybind11::dict& kind);

}  // namespace pgcore::bindings
