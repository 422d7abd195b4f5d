// MuJoCo's global hooks while simulations of ours run: its clock is stopped, and callbacks that a
// user installed are refused.
#pragma once

#include <string>

namespace pgcore {

// While one lives, MuJoCo reads no clock (mjcb_time): `import mujoco` installs one, which a step
// reads dozens of times for timers that nobody looks at here. The first of several that overlap
// takes the pointer, the last one puts it back. A thread that steps MuJoCo by itself meanwhile
// finds zeros added to its mjData.timer; its simulation is the same.
class StoppedClock {
 public:
  StoppedClock() noexcept;
  ~StoppedClock();
  StoppedClock(const StoppedClock&) = delete;
  StoppedClock& operator=(const StoppedClock&) = delete;
};

// In a forked child, which has none of the threads whose calls stopped the clock. For fork.cpp.
void start_clock_after_fork() noexcept;

// The name of a physics callback that is installed ("mjcb_control"), or an empty text.
std::string installed_callback();

// The address behind MuJoCo's clock pointer; null while a StoppedClock lives. For tests.
const void* clock_address() noexcept;

}  // namespace pgcore
