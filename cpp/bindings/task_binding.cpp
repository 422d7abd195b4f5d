#include "task_binding.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace pgcore::bindings {

namespace py = pybind11;

namespace {

using TermList = std::vector<std::pair<std::string, std::map<std::string, Parameters::Value>>>;

std::vector<Parameters> to_parameters(const TermList& terms) {
  std::vector<Parameters> out;
  for (const auto& [kind, values] : terms) out.emplace_back(kind, values);
  return out;
}

std::unique_ptr<TaskHandle> make_task(std::string xml_path, int frame_skip, int time_limit,
                                      const std::string& contact_margins, bool lowered,
                                      const TermList& reset, const TermList& observation,
                                      const TermList& reward, const TermList& termination) {
  if (contact_margins != "sum" && contact_margins != "max") {
    throw std::invalid_argument("contact_margins: expected 'sum' or 'max', got '" +
                                contact_margins + "'");
  }
  return std::make_unique<TaskHandle>(TaskConfig{
      std::move(xml_path), frame_skip, time_limit,
      contact_margins == "max" ? MarginRule::kMax : MarginRule::kSum, lowered, to_parameters(reset),
      to_parameters(observation), to_parameters(reward), to_parameters(termination)});
}

py::list observation_table(const TaskHandle& h) {
  py::list rows;
  for (const auto& row : h.task.observation_table())
    rows.append(py::make_tuple(row.meaning, row.unit));
  return rows;
}

py::list action_table(const TaskHandle& h) {
  const mjModel& m = h.task.model();
  py::list rows;
  for (int i = 0; i < m.nu; ++i) {
    const char* name = mj_id2name(&m, mjOBJ_ACTUATOR, i);
    std::string text = name != nullptr && *name != '\0' ? name : "actuator " + std::to_string(i);
    if (m.actuator_trntype[i] == mjTRN_JOINT) {
      const char* joint = mj_id2name(&m, mjOBJ_JOINT, m.actuator_trnid[2 * i]);
      if (joint != nullptr && text != joint) text += " on " + std::string(joint);
    }
    const bool limited = m.actuator_ctrllimited[i] != 0;
    const double infinity = std::numeric_limits<double>::infinity();
    rows.append(py::make_tuple(text, limited ? m.actuator_ctrlrange[2 * i] : -infinity,
                               limited ? m.actuator_ctrlrange[2 * i + 1] : infinity));
  }
  return rows;
}

// The compiled model as MuJoCo saves it.
py::bytes model_bytes(const TaskHandle& h) {
  std::string buffer(static_cast<std::size_t>(mj_sizeModel(&h.task.model())), '\0');
  mj_saveModel(&h.task.model(), nullptr, buffer.data(), static_cast<mjtSize>(buffer.size()));
  return buffer;
}

}  // namespace

void bind_task(py::module_& m) {
  py::class_<TaskHandle>(m, "Task")
      .def(py::init(&make_task), py::kw_only(), py::arg("xml_path"), py::arg("frame_skip"),
           py::arg("time_limit"), py::arg("contact_margins"), py::arg("lowered"), py::arg("reset"),
           py::arg("observation"), py::arg("reward"), py::arg("termination"))
      .def_property_readonly("passes", [](const TaskHandle& h) { return h.task.passes(); })
      .def_property_readonly("warnings", [](const TaskHandle& h) { return h.task.warnings(); })
      .def_property_readonly("obs_dim", [](const TaskHandle& h) { return h.task.obs_dim(); })
      .def_property_readonly("act_dim", [](const TaskHandle& h) { return h.task.act_dim(); })
      .def_property_readonly("dt", [](const TaskHandle& h) { return h.task.dt(); })
      .def_property_readonly("nq", [](const TaskHandle& h) { return h.task.model().nq; })
      .def_property_readonly("na", [](const TaskHandle& h) { return h.task.model().na; })
      .def_property_readonly("nv", [](const TaskHandle& h) { return h.task.model().nv; })
      .def_property_readonly(
          "integration_size",
          [](const TaskHandle& h) { return mj_stateSize(&h.task.model(), mjSTATE_INTEGRATION); })
      .def("model_bytes", &model_bytes)
      .def("observation_table", &observation_table)
      .def("state_size", &TaskHandle::state_size)
      .def("action_table", &action_table)
      .def("reward_formula", [](const TaskHandle& h) { return h.task.reward_formula(); })
      .def("termination_rules", [](const TaskHandle& h) { return h.task.termination_rules(); })
      .def("reset_rules", [](const TaskHandle& h) { return h.task.reset_rules(); });
}

}  // namespace pgcore::bindings
