#include "pgcore/normalizer.hpp"

#include <algorithm>
#include <cmath>

namespace pgcore {
namespace {

constexpr double kEpsilon = 1e-8;

double clip_to(double x, double clip) noexcept {
  return clip > 0.0 ? std::clamp(x, -clip, clip) : x;
}

}  // namespace

void RunningMoments::push(const double* x) const noexcept {
  *count += 1.0;
  for (std::size_t i = 0; i < dim; ++i) {
    const double before = x[i] - mean[i];
    mean[i] += before / *count;
    m2[i] += before * (x[i] - mean[i]);
  }
}

void RunningMoments::normalize(const double* x, double clip, float* out) const noexcept {
  const bool known = *count > 1.0;
  for (std::size_t i = 0; i < dim; ++i) {
    const double std = known ? std::sqrt(m2[i] / (*count - 1.0)) : 1.0;
    out[i] = static_cast<float>(clip_to((x[i] - mean[i]) / (std + kEpsilon), clip));
  }
}

void cast_input(std::span<const double> x, float* out) noexcept {
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = static_cast<float>(x[i]);
}

void scale_rewards(std::span<const double> rewards, std::span<const bool> ended, double gamma,
                   double clip, RewardScale& state, double* out) noexcept {
  RunningMoments moments{&state.count, &state.mean, &state.m2, 1};
  for (std::size_t t = 0; t < rewards.size(); ++t) {
    state.discounted = gamma * state.discounted + rewards[t];
    moments.push(&state.discounted);
    const double std =
        state.count > 1.0 ? std::sqrt(state.m2 / (state.count - 1.0)) : std::abs(state.mean);
    out[t] = clip_to(rewards[t] / (std + kEpsilon), clip);
    if (ended[t]) state.discounted = 0.0;
  }
}

}  // namespace pgcore
