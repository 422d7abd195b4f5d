// What ThreadSanitizer cannot see by itself: MuJoCo's library is not instrumented, so the order
// that mjb_apply guarantees (everything before the call happens before every simulation, and every
// simulation before its return) is stated here. Nothing in other builds.
#pragma once

#ifdef __SANITIZE_THREAD__
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace pgcore {

inline void tsan_acquire([[maybe_unused]] void* address) noexcept {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(address);
#endif
}

inline void tsan_release([[maybe_unused]] void* address) noexcept {
#ifdef __SANITIZE_THREAD__
  __tsan_release(address);
#endif
}

}  // namespace pgcore
