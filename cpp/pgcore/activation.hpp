// Functions between the layers of a network, elementwise and in place.
#pragma once

#include <cstddef>
#include <string_view>

namespace pgcore {

// Applies itself to n values; float32, relative error below 1e-6.
using Activation = void (*)(float* values, std::size_t n) noexcept;

// Throws std::invalid_argument for an unknown name.
Activation parse_activation(std::string_view name);

}  // namespace pgcore
