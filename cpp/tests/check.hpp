// A test is a named function; a failed check is counted and printed, and the test goes on.
#pragma once

#include <cstdio>

namespace pgcore::tests {

inline int failures = 0;

inline void report(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  ++failures;
  std::printf("%s:%d: %s does not hold\n", file, line, what);
}

}  // namespace pgcore::tests

#define CHECK(condition) ::pgcore::tests::report((condition), #condition, __FILE__, __LINE__)
