#include "pgcore/terms/parameters.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace pgcore {

Parameters::Parameters(std::string kind, std::map<std::string, Value> values)
    : kind_(std::move(kind)), values_(std::move(values)) {}

const Parameters::Value* Parameters::find(const std::string& name) const {
  used_.insert(name);
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &it->second;
}

double Parameters::number(const std::string& name) const {
  const Value* value = find(name);
  if (value == nullptr || !std::holds_alternative<double>(*value)) fail(name, "a number");
  if (!std::isfinite(std::get<double>(*value))) fail(name, "a finite number");
  return std::get<double>(*value);
}

double Parameters::number(const std::string& name, double otherwise) const {
  return find(name) == nullptr ? otherwise : number(name);
}

std::string Parameters::text(const std::string& name) const {
  const Value* value = find(name);
  if (value == nullptr || !std::holds_alternative<std::string>(*value)) fail(name, "a text");
  return std::get<std::string>(*value);
}

std::string Parameters::text(const std::string& name, const std::string& otherwise) const {
  return find(name) == nullptr ? otherwise : text(name);
}

int Parameters::index(const std::string& name, int low, int high) const {
  const double value = number(name);
  if (!(value >= low && value < high) || value != std::floor(value)) {
    fail(name, "an integer from " + std::to_string(low) + " to " + std::to_string(high - 1));
  }
  return static_cast<int>(value);
}

int Parameters::index(const std::string& name, int low, int high, int otherwise) const {
  return find(name) == nullptr ? otherwise : index(name, low, high);
}

Range Parameters::range(int size) const {
  const auto from_front = [size](int i) { return i < 0 ? i + size : i; };
  const int start = from_front(index("start", -size, size, 0));
  const int end = from_front(index("end", -size, size + 1, size));
  if (end <= start && find("end") != nullptr) {
    fail("end", "an entry after start, " + std::to_string(start));
  }
  return {start, end};
}

Bounds Parameters::bounds(const std::string& low, const std::string& high) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto bound = [this](const std::string& name, double otherwise) {
    const Value* value = find(name);
    if (value == nullptr) return otherwise;
    const auto* given = std::get_if<double>(value);
    if (given == nullptr || std::isnan(*given)) fail(name, "a number");
    return *given;
  };
  const Bounds found = {bound(low, -kInfinity), bound(high, kInfinity)};
  if (found.low > found.high) fail(low, "a number <= " + high + ", " + std::to_string(found.high));
  return found;
}

bool Parameters::is_text(const std::string& name) const {
  const Value* value = find(name);
  return value != nullptr && std::holds_alternative<std::string>(*value);
}

void Parameters::check_all_used() const {
  for (const auto& [name, value] : values_) {
    if (used_.contains(name)) continue;
    std::string message = "term '" + kind_ + "': unknown parameter '" + name + "'; known:";
    for (const auto& other : used_) message += (message.back() == ':' ? " " : ", ") + other;
    throw std::invalid_argument(message);
  }
}

void Parameters::fail(const std::string& name, const std::string& expected) const {
  const auto it = values_.find(name);
  std::string got;
  if (it != values_.end()) {
    got = std::holds_alternative<double>(it->second)
              ? std::to_string(std::get<double>(it->second))
              : "'" + std::get<std::string>(it->second) + "'";
  } else {  // perhaps one of them is this one's name, mistyped
    got = "nothing";
    for (const auto& [other, value] : values_)
      got += (got == "nothing" ? "; given: " : ", ") + other;
  }
  throw std::invalid_argument("term '" + kind_ + "': " + name + ": expected " + expected +
                              ", got " + got);
}

}  // namespace pgcore
