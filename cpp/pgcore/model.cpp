#include "pgcore/model.hpp"

#include <array>
#include <stdexcept>

namespace pgcore {
namespace {

thread_local bool quiet = false;
mjfLogHandler previous_handler = nullptr;

void handle_message(const mjLogMessage* message) {
  if (!quiet && previous_handler != nullptr) previous_handler(message);
}

// MuJoCo has one handler per process; ours passes on whatever is not said on a quiet thread.
void install_handler_once() {
  static const bool installed = [] {
    previous_handler = mju_setLogHandler(handle_message);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

void quiet_this_thread(bool on) noexcept {
  install_handler_once();
  quiet = on;
}

ModelPtr load_model(const std::string& xml_path) {
  const QuietScope no_messages;
  std::array<char, 1000> error{};
  ModelPtr model(
      mj_loadXML(xml_path.c_str(), nullptr, error.data(), static_cast<int>(error.size())));
  if (!model) {
    throw std::invalid_argument("xml: MuJoCo cannot load '" + xml_path + "': " + error.data());
  }
  return model;
}

void lower_model(mjModel& m) noexcept {
  auto passes = static_cast<unsigned>(mjDSBL_MIDPHASE);
  if (m.ntree < 2) passes |= static_cast<unsigned>(mjDSBL_ISLAND);
  m.opt.disableflags = static_cast<int>(static_cast<unsigned>(m.opt.disableflags) | passes);
}

}  // namespace pgcore
