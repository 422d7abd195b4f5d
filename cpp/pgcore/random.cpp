#include "pgcore/random.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

namespace pgcore {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53U;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57U;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
constexpr int kRounds = 10;
constexpr unsigned kPurposeShift = 24;  // word 0 of the counter: purpose above, block index below

// Two uniforms in [0, 1) from block number `block` of an address.
std::pair<double, double> uniform_pair(const DrawAddress& address, std::uint32_t block) noexcept {
  const std::uint32_t word0 =
      (static_cast<std::uint32_t>(address.purpose) << kPurposeShift) | block;
  const auto bits = philox4x32(
      {word0, address.step, address.trajectory, address.stream_id},
      {static_cast<std::uint32_t>(address.seed), static_cast<std::uint32_t>(address.seed >> 32U)});
  const auto to_unit = [](std::uint32_t high, std::uint32_t low) {
    return static_cast<double>(((static_cast<std::uint64_t>(high) << 32U) | low) >> 11U) * 0x1p-53;
  };
  return {to_unit(bits[0], bits[1]), to_unit(bits[2], bits[3])};
}

// Write the two values that `draw` makes of each block, in order.
template <typename Draw>
void fill_pairs(std::span<double> out, Draw draw) noexcept {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const auto [first, second] = draw(static_cast<std::uint32_t>(i / 2));
    out[i] = first;
    if (i + 1 < out.size()) out[i + 1] = second;
  }
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = static_cast<std::uint64_t>(kMultiplier0) * counter[0];
    const std::uint64_t product1 = static_cast<std::uint64_t>(kMultiplier1) * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

void fill_uniform(const DrawAddress& address, std::span<double> out) noexcept {
  fill_pairs(out, [&](std::uint32_t block) { return uniform_pair(address, block); });
}

void fill_normal(const DrawAddress& address, std::span<double> out) noexcept {
  fill_pairs(out, [&](std::uint32_t block) {
    const auto [u, v] = uniform_pair(address, block);
    const double radius = std::sqrt(-2.0 * std::log1p(-u));
    const double angle = 2.0 * std::numbers::pi * v;
    return std::pair{radius * std::cos(angle), radius * std::sin(angle)};
  });
}

}  // namespace pgcore
