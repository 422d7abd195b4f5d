#include "pgcore/activation.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <stdexcept>
#include <string>

#include "pgcore/multiversion.hpp"

namespace pgcore {
namespace {

// exp(x) - 1 without cancellation near 0, for |x| <= 88: x = n ln2 + r, Taylor series in r.
[[gnu::always_inline]] inline float expm1_core(float x) noexcept {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRoundShift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * kLog2E + kRoundShift;
  const float n = shifted - kRoundShift;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = (p * r) * r + r;
  // n as it stands in the bits of `shifted`: a cast of NaN to an integer would be undefined
  const std::uint32_t whole =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kRoundShift);
  const float scale = std::bit_cast<float>((whole + 127U) << 23U);
  return (scale - 1.0F) + scale * p;
}

[[gnu::always_inline]] inline float clamp(float x, float low, float high) noexcept {
  const float above = x < low ? low : x;
  return above > high ? high : above;
}

[[gnu::always_inline]] inline float tanh_core(float x) noexcept {
  const float e = expm1_core(2.0F * clamp(x, -9.1F, 9.1F));  // tanh(9.1) rounds to 1
  return e / (e + 2.0F);
}

// positive * x for x > 0, negative * (exp(x) - 1) otherwise
[[gnu::always_inline]] inline float elu_core(float x, float positive, float negative) noexcept {
  const float below = negative * expm1_core(clamp(x, -87.0F, 0.0F));
  return x > 0.0F ? positive * x : below;
}

void linear(float* /*v*/, std::size_t /*n*/) noexcept {}

PGCORE_MULTIVERSION
void tanh(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) v[i] = tanh_core(v[i]);
}

PGCORE_MULTIVERSION
void relu(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) v[i] = v[i] > 0.0F ? v[i] : 0.0F;
}

PGCORE_MULTIVERSION
void leaky_relu(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) v[i] = v[i] > 0.0F ? v[i] : 0.01F * v[i];
}

PGCORE_MULTIVERSION
void elu(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) v[i] = elu_core(v[i], 1.0F, 1.0F);
}

PGCORE_MULTIVERSION
void selu(float* v, std::size_t n) noexcept {
  constexpr float kScale = 1.0507009873554805F;
  constexpr float kScaledAlpha = 1.7580993408473766F;
  for (std::size_t i = 0; i < n; ++i) v[i] = elu_core(v[i], kScale, kScaledAlpha);
}

PGCORE_MULTIVERSION
void silu(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    v[i] = v[i] / (2.0F + expm1_core(clamp(-v[i], -87.0F, 87.0F)));
}

// x Phi(x); in float64, because the tail magnifies what rounding does to its argument.
void gelu(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const double x = v[i];
    v[i] = static_cast<float>(0.5 * x * std::erfc(-x / std::numbers::sqrt2));
  }
}

void softplus(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const double x = v[i];
    v[i] = static_cast<float>(std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))));
  }
}

struct Named {
  std::string_view name;
  Activation activation;
};

// celu of slope 1 is elu.
const Named kActivations[] = {
    {"tanh", tanh},
    {"relu", relu},
    {"elu", elu},
    {"silu", silu},
    {"leaky_relu", leaky_relu},
    {"gelu", gelu},
    {"selu", selu},
    {"celu", elu},
    {"softplus", softplus},
    {"linear", linear},
};

}  // namespace

Activation parse_activation(std::string_view name) {
  std::string known;
  for (const Named& row : kActivations) {
    if (row.name == name) return row.activation;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw std::invalid_argument("activation: expected one of " + known + "; got '" +
                              std::string(name) + "'");
}

}  // namespace pgcore
