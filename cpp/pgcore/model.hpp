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
// to the handler that was installed before. Lives outside of mjb_apply's guard: an error leaves the
// guarded function without destructors.
bool quiet_this_thread(bool quiet) noexcept;  // what it was before

class QuietScope {
 public:
  QuietScope() noexcept : before_(quiet_this_thread(true)) {}
  ~QuietScope() { quiet_this_thread(before_); }
  QuietScope(const QuietScope&) = delete;
  QuietScope& operator=(const QuietScope&) = delete;

 private:
  bool before_;
};

// Compile an MJCF file; what MuJoCo warns of is added to `warnings`. Throws std::invalid_argument
// with MuJoCo's message.
ModelPtr load_model(const std::string& xml_path, std::vector<std::string>& warnings);

}  // namespace pgcore
