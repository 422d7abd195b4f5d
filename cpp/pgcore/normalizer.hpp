// Running mean and variance of observations and of discounted returns (Welford 1962).
#pragma once

#include <cstddef>
#include <span>

namespace pgcore {

// One member's observation statistics; the arrays are owned by the caller.
struct RunningMoments {
  double* count;  // number of observations seen
  double* mean;   // [O]
  double* m2;     // [O] sum of squared deviations from the mean
  std::size_t dim;

  void push(const double* x) const noexcept;

  // out = clip((x - mean) / (std + 1e-8), -clip, clip) in float32. The unbiased std is taken as 1
  // before the second observation. clip <= 0: no clipping.
  void normalize(const double* x, double clip, float* out) const noexcept;
};

// Plain cast to float32: what the network sees without a normaliser.
void cast_input(std::span<const double> x, float* out) noexcept;

// Divide the rewards [S, T] of the streams that an agent's pairs come from by the running std of
// their discounted returns, without centring, and clip to [-clip, clip] (clip <= 0: not at all). At
// every step all streams' returns are counted, then their rewards are scaled.
//
// ended [S, T]: a trajectory ends with this step. state [3 + S], continued over calls: count, mean
// and summed squared deviation of the discounted returns, and each stream's current one.
void scale_rewards(std::span<const double> rewards, std::span<const bool> ended, double gamma,
                   double clip, std::span<double> state, double* out) noexcept;

}  // namespace pgcore
