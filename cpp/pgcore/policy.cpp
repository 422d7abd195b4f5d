#include "pgcore/policy.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>

#include "pgcore/multiversion.hpp"

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

double softplus(double x) noexcept {
  return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

}  // namespace

StdMap parse_std(std::string_view std, std::string_view map) {
  if (std == "free") return StdMap::kFree;
  if (std != "state")
    throw std::invalid_argument("std: expected free or state; got '" + std::string(std) + "'");
  if (map == "clamp") return StdMap::kClamp;
  if (map == "softplus") return StdMap::kSoftplus;
  throw std::invalid_argument("std_map: expected clamp or softplus; got '" + std::string(map) +
                              "'");
}

PolicyStack::PolicyStack(std::vector<int> sizes, const PolicyKind& kind,
                         std::span<const float> params, int members)
    : sizes_(std::move(sizes)), kind_(kind), params_(params.data()), members_(members) {
  if (sizes_.size() < 2 || std::ranges::any_of(sizes_, [](int n) { return n < 1; })) {
    throw std::invalid_argument("sizes: expected at least [obs_dim, act_dim], all positive");
  }
  if (!free_std() && sizes_.back() % 2 != 0) {
    throw std::invalid_argument("sizes: expected 2 act_dim outputs, got " +
                                std::to_string(sizes_.back()));
  }
  for (std::size_t l = 0; l + 1 < sizes_.size(); ++l) {
    parameter_count_ +=
        static_cast<std::size_t>(sizes_[l] + 1) * static_cast<std::size_t>(sizes_[l + 1]);
  }
  if (free_std()) parameter_count_ += static_cast<std::size_t>(act_dim());
  widest_ = *std::ranges::max_element(sizes_);
  if (members < 1 || params.size() != parameter_count_ * static_cast<std::size_t>(members)) {
    throw std::invalid_argument("params: expected [members, " + std::to_string(parameter_count_) +
                                "] values for these layer sizes, got " +
                                std::to_string(params.size()) + " values for " +
                                std::to_string(members) + " members");
  }
}

void PolicyStack::run(int member, const float* input, float* scratch, float* out) const noexcept {
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
    if (!last) kind_.activation(y, static_cast<std::size_t>(width));
    p = bias + width;
    x = y;
  }
  kind_.mean_map(out, static_cast<std::size_t>(act_dim()));
}

const float* PolicyStack::log_std(int member) const noexcept {
  return params_ + (static_cast<std::size_t>(member) + 1) * parameter_count_ - act_dim();
}

void GaussianHead::load(const PolicyKind& kind, const float* raw) noexcept {
  log_scale = 0.5 * act_dim * std::log(2.0 * std::numbers::pi);
  for (int j = 0; j < act_dim; ++j) {
    double log_std = raw[j];
    switch (kind.std_map) {
      case StdMap::kFree:
        break;
      case StdMap::kClamp:
        log_std = std::clamp(log_std, kind.log_std_low, kind.log_std_high);
        break;
      case StdMap::kSoftplus:
        log_std = std::log(softplus(log_std) + kind.min_std);
        break;
    }
    std[j] = std::exp(log_std);
    log_scale += log_std;
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
