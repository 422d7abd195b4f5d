// A process that forks between two calls.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "check.hpp"
#include "world.hpp"

namespace pgcore::tests {

// Of the pool's threads a child has none: it makes its own, and ends without waiting for the
// others.
inline void a_forked_child_goes_on() {
#ifndef __SANITIZE_THREAD__  // which starts no threads after a fork
  constexpr std::size_t kStreams = 4;
  auto world = std::make_unique<World>("1M", 0.5, kStreams);
  Batch here(*world->task, kStreams, 30);
  CHECK(world->run(here, 2).empty());
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    Batch there(*world->task, kStreams, 30);
    bool same = world->run(there, 2).empty();
    for (std::size_t s = 0; s < kStreams; ++s) same = same && here.same_stream(there, s);
    world.reset();
    _exit(same ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(world->run(here, 2).empty());
#endif
}

}  // namespace pgcore::tests
