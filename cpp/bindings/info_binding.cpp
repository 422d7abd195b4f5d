#include <mujoco/mujoco.h>
#include <pybind11/pybind11.h>

#include <cstdint>

#include "pgcore/engine_hooks.hpp"
#include "pgcore/model.hpp"

namespace pgcore::bindings {

namespace py = pybind11;

void bind_info(py::module_& m) {
  py::dict build;
  build["compiler"] = PGCORE_COMPILER;
  build["flags"] = PGCORE_FLAGS;
  build["build_type"] = PGCORE_BUILD_TYPE;
  build["mujoco_headers"] = mjVERSION_HEADER;
  build["mujoco_library"] = mj_versionString();
  m.attr("build") = build;
  m.def("clock_address", [] { return reinterpret_cast<std::uintptr_t>(clock_address()); });
  m.def("keep_quiet", &quiet_this_thread, py::arg("quiet"));
}

}  // namespace pgcore::bindings
