// A table from the names of one kind of term to their constructors.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "pgcore/terms/term.hpp"

namespace pgcore {

template <typename Base>
using TermTable =
    std::map<std::string, std::unique_ptr<Base> (*)(const Parameters&, const mjModel&)>;

template <typename Base, typename Term>
std::unique_ptr<Base> construct(const Parameters& p, const mjModel& m) {
  return std::make_unique<Term>(p, m);
}

// Throws std::invalid_argument for an unknown term or an unknown parameter.
template <typename Base>
std::unique_ptr<Base> make_term(const char* room, const TermTable<Base>& table, const Parameters& p,
                                const mjModel& m) {
  const auto it = table.find(p.kind());
  if (it == table.end()) {
    std::string known;
    for (const auto& [name, factory] : table) known += (known.empty() ? "" : ", ") + name;
    throw std::invalid_argument(std::string(room) + ": unknown term '" + p.kind() +
                                "'; known: " + known);
  }
  auto term = it->second(p, m);
  p.check_all_used();
  return term;
}

}  // namespace pgcore
