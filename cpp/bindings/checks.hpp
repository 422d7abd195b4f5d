// Checks of arguments that come from Python, and the words of the errors.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace pgcore::bindings {

namespace py = pybind11;

inline std::string shape_text(const py::array& a) {
  std::string text = "[";
  for (py::ssize_t i = 0; i < a.ndim(); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(a.shape(i));
  return text + "] of " + py::str(a.dtype()).cast<std::string>();
}

// A C-contiguous array of exactly this dtype and shape; `dims` explains the shape in the error.
template <typename T>
std::span<T> checked(const py::array& a, const char* name, const char* dims,
                     std::initializer_list<py::ssize_t> shape) {
  bool same = a.ndim() == static_cast<py::ssize_t>(shape.size());
  std::size_t total = 1;
  std::string expected = "[";
  py::ssize_t i = 0;
  for (const py::ssize_t n : shape) {
    same = same && i < a.ndim() && a.shape(i) == n;
    expected += (i > 0 ? ", " : "") + std::to_string(n);
    total *= static_cast<std::size_t>(n);
    ++i;
  }
  using Value = std::remove_const_t<T>;
  const auto dtype = py::dtype::of<Value>();
  const std::string what = std::string(name) + ": expected " + dims + " = " + expected + "] of " +
                           py::str(dtype).cast<std::string>() + ", got " + shape_text(a);
  if (!same) throw py::value_error(what);
  if (!dtype.is(a.dtype()) && !dtype.equal(a.dtype())) {
    throw py::type_error(what + "; convert it explicitly, e.g. with numpy.asarray(x, dtype)");
  }
  if ((a.flags() & py::array::c_style) == 0) {
    throw py::value_error(std::string(name) +
                          ": expected a C-contiguous array; use numpy.ascontiguousarray(x)");
  }
  return {static_cast<T*>(const_cast<void*>(a.data())), total};
}

}  // namespace pgcore::bindings
