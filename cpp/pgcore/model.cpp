#include "pgcore/model.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace pgcore {
namespace {

thread_local bool quiet = false;
thread_local std::vector<std::string>* heard = nullptr;  // where to keep messages of this thread
mjfLogHandler previous_handler = nullptr;

// A message as one line: MuJoCo's end with the place in the file, on a line of its own.
std::string one_line(const char* message) {
  std::string text(message);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
    text.replace(at, 1, "; ");
  }
  return text;
}

void handle_message(const mjLogMessage* message) {
  if (heard != nullptr && message->level >= mjLOG_WARNING)
    heard->push_back(one_line(message->subject));
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

bool quiet_this_thread(bool on) noexcept {
  install_handler_once();
  return std::exchange(quiet, on);
}

ModelPtr load_model(const std::string& xml_path, std::vector<std::string>& warnings) {
  const QuietScope no_messages;
  std::array<char, 1000> error{};
  heard = &warnings;
  ModelPtr model(
      mj_loadXML(xml_path.c_str(), nullptr, error.data(), static_cast<int>(error.size())));
  heard = nullptr;
  if (!model) {
    throw std::invalid_argument("xml: MuJoCo cannot load '" + xml_path +
                                "': " + one_line(error.data()));
  }
  const std::string said = one_line(error.data());  // of a model that compiles: a warning
  if (!said.empty() && std::ranges::find(warnings, said) == warnings.end())
    warnings.push_back(said);
  return model;
}

}  // namespace pgcore
