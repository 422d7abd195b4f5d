#include "pgcore/fork.hpp"

#include <pthread.h>

#include <atomic>

#include "pgcore/engine_hooks.hpp"

namespace pgcore {
namespace {

constinit std::mutex mutex;
constinit std::atomic<std::uint64_t> generation{0};

void before_fork() { mutex.lock(); }
void after_fork_in_parent() { mutex.unlock(); }

void after_fork_in_child() {
  ++generation;
  start_clock_after_fork();
  mutex.unlock();
}

const int registered = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

std::mutex& fork_mutex() noexcept {
  static_cast<void>(registered);
  return mutex;
}

std::uint64_t fork_generation() noexcept { return generation; }

}  // namespace pgcore
