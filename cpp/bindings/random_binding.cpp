#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "pgcore/random.hpp"

namespace pgcore::bindings {

namespace py = pybind11;

namespace {

template <void (*Fill)(const DrawAddress&, std::span<double>) noexcept>
py::array_t<double> draw(std::uint64_t seed, std::uint32_t stream_id, std::uint32_t trajectory,
                         std::uint32_t step, std::uint32_t purpose, std::size_t n) {
  py::array_t<double> out(static_cast<py::ssize_t>(n));
  Fill({seed, stream_id, trajectory, step, static_cast<Purpose>(purpose)}, {out.mutable_data(), n});
  return out;
}

}  // namespace

void bind_random(py::module_& m) {
  m.def("philox4x32", &philox4x32, py::arg("counter"), py::arg("key"));
  m.def("uniform", &draw<fill_uniform>, py::arg("seed"), py::arg("stream_id"),
        py::arg("trajectory"), py::arg("step"), py::arg("purpose"), py::arg("n"));
  m.def("normal", &draw<fill_normal>, py::arg("seed"), py::arg("stream_id"), py::arg("trajectory"),
        py::arg("step"), py::arg("purpose"), py::arg("n"));
}

}  // namespace pgcore::bindings
