// Named parameters of a term, as they come from a task definition.
#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace pgcore {

// Entries [start, end) of an array.
struct Range {
  int start;
  int end;
  int size() const noexcept { return end - start; }
};

// Values from low to high; either may be infinite.
struct Bounds {
  double low;
  double high;
};

class Parameters {
 public:
  using Value = std::variant<double, std::string>;

  Parameters(std::string kind, std::map<std::string, Value> values);

  const std::string& kind() const noexcept { return kind_; }

  // The named value; without a default it must be there. Numbers are finite. Throw
  // std::invalid_argument that names the term, the parameter and what was expected.
  double number(const std::string& name) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name) const;
  std::string text(const std::string& name, const std::string& otherwise) const;

  // An integer in [low, high).
  int index(const std::string& name, int low, int high) const;
  int index(const std::string& name, int low, int high, int otherwise) const;

  // The entries "start" to "end" of `size`, all by default; negative ones count from the end.
  Range range(int size) const;

  // Two numbers low <= high, infinite by default; NaN is refused.
  Bounds bounds(const std::string& low, const std::string& high) const;

  bool has(const std::string& name) const { return find(name) != nullptr; }
  bool is_text(const std::string& name) const;

  // Throws if a parameter was given that nobody asked for.
  void check_all_used() const;

  [[noreturn]] void fail(const std::string& name, const std::string& expected) const;

 private:
  const Value* find(const std::string& name) const;

  std::string kind_;
  std::map<std::string, Value> values_;
  mutable std::set<std::string> used_;
};

}  // namespace pgcore
