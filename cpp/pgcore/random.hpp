// Counter-based random numbers: every draw is a pure function of its address.
//
// An address is (seed, stream id, trajectory, step, purpose, index). Nothing is stored between
// draws, so results cannot depend on the order of work or on the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace pgcore {

// What a draw is used for. Different purposes at the same address are independent.
enum class Purpose : std::uint8_t {
  kResetPosition = 0,
  kResetVelocity = 1,
  kAction = 2,
  kResetPlace = 3,  // its step is the first entry of qpos that is placed
  kResetJoint = 4,
  kResetRotation = 5,  // its step is the first entry of the quaternion in qpos
  kResetBox = 6,       // its step is as that of kResetPlace
  kResetMocap = 7      // its step is the number of the mocap body
};

// The part of an address that is shared by all draws of one step.
struct DrawAddress {
  std::uint64_t seed;
  std::uint32_t stream_id;
  std::uint32_t trajectory;
  std::uint32_t step;
  Purpose purpose;
};

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): four random words from a counter and a key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) noexcept;

// Fill `out` with uniforms in [0, 1), 53 bits each.
void fill_uniform(const DrawAddress& address, std::span<double> out) noexcept;

// Fill `out` with standard normals (Box-Muller on pairs of 53-bit uniforms).
void fill_normal(const DrawAddress& address, std::span<double> out) noexcept;

}  // namespace pgcore
