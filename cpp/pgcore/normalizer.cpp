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
                   double clip, std::span<double> state, double* out) noexcept {
  const RunningMoments moments{&state[0], &state[1], &state[2], 1};
  const std::span<double> discounted = state.subspan(3);
  const std::size_t steps = rewards.size() / discounted.size();
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t s = 0; s < discounted.size(); ++s) {
      discounted[s] = gamma * discounted[s] + rewards[s * steps + t];
      moments.push(&discounted[s]);
    }
    const double count = *moments.count;
    const double std =
        count > 1.0 ? std::sqrt(*moments.m2 / (count - 1.0)) : std::abs(*moments.mean);
    for (std::size_t s = 0; s < discounted.size(); ++s) {
      const std::size_t i = s * steps + t;
      out[i] = clip_to(rewards[i] / (std + kEpsilon), clip);
      if (ended[i]) discounted[s] = 0.0;
    }
  }
}

}  // namespace pgcore
