// Advantages and returns over one stream of T steps. All arithmetic is float64.
#pragma once

#include <cstddef>
#include <span>

namespace pgcore {

// Generalised advantage estimation (Schulman et al. 2015, arXiv:1506.02438, eq. 16), backwards:
//   delta_t = r_t + gamma * [not terminated_t] * V(next_t) - V_t
//   A_t     = delta_t + gamma * lam * [trajectory goes on after t] * A_{t+1}
// next_values[t] is the value of the observation that follows step t (for a truncated step: of the
// observation before the reset). returns[t] = A_t + V_t.
template <typename Value>
void gae(std::span<const double> rewards, std::span<const Value> values,
         std::span<const Value> next_values, std::span<const bool> terminated,
         std::span<const bool> truncated, double gamma, double lam, double* advantages,
         double* returns) noexcept;

// Discounted returns R_t = r_t + gamma * R_{t+1}; where a trajectory is truncated or the stream is
// cut, R_{t+1} is bootstrap[t]; after a termination it is 0.
void discounted_returns(std::span<const double> rewards, std::span<const double> bootstrap,
                        std::span<const bool> terminated, std::span<const bool> truncated,
                        double gamma, double* returns) noexcept;

}  // namespace pgcore
