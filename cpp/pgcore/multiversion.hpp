// Wider vectors where the CPU has them. Multiplication and addition are never fused (see the
// project's compile flags), so every version gives the same bits.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define PGCORE_MULTIVERSION __attribute__((target_clones("default", "avx2")))
#else
#define PGCORE_MULTIVERSION
#endif
