// Loading of MuJoCo models, and keeping MuJoCo's messages away from the user's
// terminal.
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <string>
#include <vector>

namespace pgcore {

struct ModelDeleter {
  void operator()(mjModel* m) const noexcept { mj_deleteModel(m); }
};
using ModelPtr = std::unique_ptr<mjModel, ModelDeleter>;

struct DataDeleter {
  void operator()(mjData* d) const noexcept { mj_deleteData(d); }
};
using DataPtr = std::unique_ptr<mjData, DataDeleter>;

// While one lives, MuJoCo's warnings on this thread are neither printed nor written to a log file.
// Nothing is lost: a batch counts them per stream from mjData.warning. Messages of other threads go
// to the handler that was installed before. May live across a MuJoCo call that fails: it is only
// entered outside of mjb_apply's guard, or re-entered by the next stream of the thread.
void quiet_this_thread(bool quiet) noexcept;

class QuietScope {
 public:
  QuietScope() noexcept { quiet_this_thread(true); }
  ~QuietScope() { quiet_this_thread(false); }
  QuietScope(const QuietScope&) = delete;
  QuietScope& operator=(const QuietScope&) = delete;
};

// Compile an MJCF file; what MuJoCo warns of is added to `warnings`. Throws std::invalid_argument
// with MuJoCo's message.
ModelPtr load_model(const std::string& xml_path, std::vector<std::string>& warnings);

}  // namespace pgcore
