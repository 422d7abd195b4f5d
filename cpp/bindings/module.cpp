// The private extension pgcore._core: a table of contents.
#include <pybind11/pybind11.h>

namespace pgcore::bindings {

void bind_random(pybind11::module_& m);
void bind_task(pybind11::module_& m);
void bind_rollout(pybind11::module_& m);
void bind_environments(pybind11::module_& m);
void bind_policy(pybind11::module_& m);
void bind_returns(pybind11::module_& m);
void bind_info(pybind11::module_& m);

}  // namespace pgcore::bindings

PYBIND11_MODULE(_core, m) {
  m.doc() = "Native core of pgcore; use the functions of the package instead.";
  pgcore::bindings::bind_random(m);
  pgcore::bindings::bind_task(m);
  pgcore::bindings::bind_environments(m);
  pgcore::bindings::bind_policy(m);
  pgcore::bindings::bind_rollout(m);
  pgcore::bindings::bind_returns(m);
  pgcore::bindings::bind_info(m);
}
