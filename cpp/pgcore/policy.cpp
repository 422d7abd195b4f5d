#include "pgcore/policy.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>

// Wider vectors where the CPU has them. Multiplication and addition are never fused (see the
// project's compile flags), so every version gives the same bits.
#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define PGCORE_MULTIVERSION __attribute__((target_clones("default", "avx2")))
#else
#define PGCORE_MULTIVERSION
#endif

namespace pgcore {
namespace {

constexpr std::ptrdiff_t kLane = 8;
constexpr std::ptrdiff_t kBlock = 4;  // lanes whose sums are kept in registers together
using Lane = float __attribute__((vector_size(kLane * sizeof(float)), aligned(sizeof(float))));

// y[j] = bias[j] + sum_i x[i] w[i, j] for kLane * N outputs from column j on.
template <std::ptrdiff_t N>
[[gnu::always_inline]] inline void dense_lanes(const float* weight, const float* bias,
                                               const float* x, int in, int out, float* y) noexcept {
  Lane sum[N];
  for (std::ptrdiff_t n = 0; n < N; ++n) sum[n] = *reinterpret_cast<const Lane*>(bias + n * kLane);
  for (int i = 0; i < in; ++i) {
    const float* row = weight + static_cast<std::ptrdiff_t>(i) * out;
    for (std::ptrdiff_t n = 0; n < N; ++n)
      sum[n] += *reinterpret_cast<const Lane*>(row + n * kLane) * x[i];
  }
  for (std::ptrdiff_t n = 0; n < N; ++n) *reinterpret_cast<Lane*>(y + n * kLane) = sum[n];
}

PGCORE_MULTIVERSION
void dense(const float* weight, const float* bias, const float* x, int in, int out,
           float* y) noexcept {
  std::ptrdiff_t j = 0;
  for (; j + kBlock * kLane <= out; j += kBlock * kLane) {
    dense_lanes<kBlock>(weight + j, bias + j, x, in, out, y + j);
  }
  for (; j + kLane <= out; j += kLane) dense_lanes<1>(weight + j, bias + j, x, in, out, y + j);
  for (; j < out; ++j) {
    float sum = bias[j];
    for (int i = 0; i < in; ++i) sum += weight[static_cast<std::ptrdiff_t>(i) * out + j] * x[i];
    y[j] = sum;
  }
}

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
  const float scale =
      std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23U);
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

PGCORE_MULTIVERSION
void tanh_inplace(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) v[i] = tanh_core(v[i]);
}

PGCORE_MULTIVERSION
void elu_inplace(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const float negative = expm1_core(clamp(v[i], -87.0F, 0.0F));
    v[i] = v[i] > 0.0F ? v[i] : negative;
  }
}

PGCORE_MULTIVERSION
void silu_inplace(float* v, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    v[i] = v[i] / (2.0F + expm1_core(clamp(-v[i], -87.0F, 87.0F)));
}

}  // namespace

Activation parse_activation(std::string_view name) {
  if (name == "tanh") return Activation::kTanh;
  if (name == "relu") return Activation::kRelu;
  if (name == "elu") return Activation::kElu;
  if (name == "silu") return Activation::kSilu;
  throw std::invalid_argument("activation: expected one of tanh, relu, elu, silu; got '" +
                              std::string(name) + "'");
}

void activate(Activation activation, std::span<float> values) noexcept {
  switch (activation) {
    case Activation::kTanh:
      tanh_inplace(values.data(), values.size());
      return;
    case Activation::kRelu:
      for (float& v : values) v = v > 0.0F ? v : 0.0F;
      return;
    case Activation::kElu:
      elu_inplace(values.data(), values.size());
      return;
    case Activation::kSilu:
      silu_inplace(values.data(), values.size());
      return;
  }
}

PolicyStack::PolicyStack(std::vector<int> sizes, Activation activation,
                         std::span<const float> params, int members)
    : sizes_(std::move(sizes)), activation_(activation), params_(params.data()), members_(members) {
  if (sizes_.size() < 2 || std::ranges::any_of(sizes_, [](int n) { return n < 1; })) {
    throw std::invalid_argument("sizes: expected at least [obs_dim, act_dim], all positive");
  }
  for (std::size_t l = 0; l + 1 < sizes_.size(); ++l) {
    parameter_count_ +=
        static_cast<std::size_t>(sizes_[l] + 1) * static_cast<std::size_t>(sizes_[l + 1]);
  }
  parameter_count_ += static_cast<std::size_t>(act_dim());
  widest_ = *std::ranges::max_element(sizes_);
  if (members < 1 || params.size() != parameter_count_ * static_cast<std::size_t>(members)) {
    throw std::invalid_argument("params: expected [members, " + std::to_string(parameter_count_) +
                                "] values for these layer sizes, got " +
                                std::to_string(params.size()) + " values for " +
                                std::to_string(members) + " members");
  }
}

void PolicyStack::mean(int member, const float* input, float* scratch, float* out) const noexcept {
  const float* p = params_ + static_cast<std::size_t>(member) * parameter_count_;
  const float* x = input;
  const std::size_t layers = sizes_.size() - 1;
  for (std::size_t l = 0; l < layers; ++l) {
    const int in = sizes_[l];
    const int width = sizes_[l + 1];
    const bool last = l + 1 == layers;
    float* y = last ? out : scratch + (l % 2) * static_cast<std::size_t>(widest_);
    const float* bias = p + static_cast<std::ptrdiff_t>(in) * width;
    dense(p, bias, x, in, width, y);
    if (!last) activate(activation_, {y, static_cast<std::size_t>(width)});
    p = bias + width;
    x = y;
  }
}

const float* PolicyStack::log_std(int member) const noexcept {
  return params_ + (static_cast<std::size_t>(member) + 1) * parameter_count_ - act_dim();
}

void GaussianHead::load(const float* log_std) noexcept {
  log_scale = 0.5 * act_dim * std::log(2.0 * std::numbers::pi);
  for (int j = 0; j < act_dim; ++j) {
    std[j] = std::exp(static_cast<double>(log_std[j]));
    log_scale += log_std[j];
  }
}

double GaussianHead::sample(const float* mean, const double* noise, float* action) const noexcept {
  double quadratic = 0.0;
  for (int j = 0; j < act_dim; ++j) {
    action[j] = static_cast<float>(mean[j] + std[j] * noise[j]);
    const double z = (static_cast<double>(action[j]) - mean[j]) / std[j];
    quadratic += z * z;
  }
  return -0.5 * quadratic - log_scale;
}

}  // namespace pgcore
