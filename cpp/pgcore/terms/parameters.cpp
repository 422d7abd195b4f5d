#include "pgcore/terms/parameters.hpp"

#include <cmath>
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

void Parameters::check_all_used() const {
  for (const auto& [name, value] : values_) {
    if (!used_.contains(name)) {
      throw std::invalid_argument("term '" + kind_ + "': unknown parameter '" + name + "'");
    }
  }
}

void Parameters::fail(const std::string& name, const std::string& expected) const {
  const auto it = values_.find(name);
  std::string got = "nothing";
  if (it != values_.end()) {
    got = std::holds_alternative<double>(it->second)
              ? std::to_string(std::get<double>(it->second))
              : "'" + std::get<std::string>(it->second) + "'";
  }
  throw std::invalid_argument("term '" + kind_ + "': " + name + ": expected " + expected +
                              ", got " + got);
}

}  // namespace pgcore
