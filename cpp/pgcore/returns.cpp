#include "pgcore/returns.hpp"

namespace pgcore {

template <typename Value>
void gae(std::span<const double> rewards, std::span<const Value> values,
         std::span<const Value> next_values, std::span<const bool> terminated,
         std::span<const bool> truncated, double gamma, double lam, double* advantages,
         double* returns) noexcept {
  double running = 0.0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    const double next = terminated[t] ? 0.0 : static_cast<double>(next_values[t]);
    const bool goes_on = !terminated[t] && !truncated[t];
    const double value = static_cast<double>(values[t]);
    running = rewards[t] + gamma * next - value + (goes_on ? gamma * lam * running : 0.0);
    advantages[t] = running;
    returns[t] = running + value;
  }
}

template void gae<double>(std::span<const double>, std::span<const double>, std::span<const double>,
                          std::span<const bool>, std::span<const bool>, double, double, double*,
                          double*) noexcept;
template void gae<float>(std::span<const double>, std::span<const float>, std::span<const float>,
                         std::span<const bool>, std::span<const bool>, double, double, double*,
                         double*) noexcept;

void discounted_returns(std::span<const double> rewards, std::span<const double> bootstrap,
                        std::span<const bool> terminated, std::span<const bool> truncated,
                        double gamma, double* returns) noexcept {
  double running = 0.0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    if (terminated[t]) {
      running = 0.0;
    } else if (truncated[t] || t + 1 == rewards.size()) {
      running = bootstrap[t];
    }
    running = rewards[t] + gamma * running;
    returns[t] = running;
  }
}

}  // namespace pgcore
