// What fork copies: idle batches, whose threads the child does not have, and MuJoCo's clock, which
// calls of other threads may have stopped. A child that waits for such threads hangs for ever.
#pragma once

#include <cstdint>
#include <mutex>

namespace pgcore {

// Held, briefly, while either changes hands. fork waits for it, so that the child finds both whole.
std::mutex& fork_mutex() noexcept;

// How many forks lie between this process and the one that loaded the library. Batches of another
// number than today's have no threads here: they are neither used nor deleted.
std::uint64_t fork_generation() noexcept;

}  // namespace pgcore
