// Checks of arguments that come from Python, and the words of the errors.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

namespace pgcore::bindings {

namespace py = pybind11;

inline std::string shape_text(const py::array& a) {
  std::string text = "[";
  for (py::ssize_t i = 0; i < a.ndim(); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(a.shape(i));
  return text + "] of " + py::str(a.dtype()).cast<std::string>();
}

// The error for an array of another shape or dtype. Made only when it is needed: the text costs
// more than a small call.
inline std::string mismatch_text(const py::array& a, const char* name, const char* dims,
                                 std::initializer_list<py::ssize_t> shape, const py::dtype& dtype) {
  std::string text = std::string(name) + ": expected " + dims + " = [";
  const char* separator = "";
  for (const py::ssize_t n : shape) {
    text += separator + std::to_string(n);
    separator = ", ";
  }
  return text + "] of " + py::str(dtype).cast<std::string>() + ", got " + shape_text(a);
}

// A C-contiguous, aligned array of exactly this dtype and shape, writeable where T is not const;
// `dims` explains the shape in the error.
template <typename T>
std::span<T> checked(const py::array& a, const char* name, const char* dims,
                     std::initializer_list<py::ssize_t> shape) {
  bool same = a.ndim() == static_cast<py::ssize_t>(shape.size());
  py::ssize_t i = 0;
  for (const py::ssize_t n : shape) {
    same = same && a.shape(i) == n;
    ++i;
  }
  const auto dtype = py::dtype::of<std::remove_const_t<T>>();
  if (!same) throw py::value_error(mismatch_text(a, name, dims, shape, dtype));
  if (!dtype.is(a.dtype()) && !dtype.equal(a.dtype())) {
    throw py::type_error(mismatch_text(a, name, dims, shape, dtype) +
                         "; convert it explicitly, e.g. with numpy.asarray(x, dtype)");
  }
  if ((a.flags() & py::array::c_style) == 0) {
    throw py::value_error(std::string(name) +
                          ": expected a C-contiguous array; use numpy.ascontiguousarray(x)");
  }
  if ((a.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) {
    throw py::value_error(std::string(name) + ": expected an aligned array; use x.copy()");
  }
  if (!std::is_const_v<T> && !a.writeable()) {
    throw py::value_error(std::string(name) + ": expected a writeable array; use x.copy()");
  }
  return {static_cast<T*>(const_cast<void*>(a.data())), static_cast<std::size_t>(a.size())};
}

}  // namespace pgcore::bindings
