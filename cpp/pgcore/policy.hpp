// Inference of a stack of Gaussian MLP policies, one observation at a time.
//
// A member's parameters are one row of a float32 array [M, P]: for each layer the weights [in, out]
// and the biases [out], then log_std [A]. A product of the network is a sum in index order with
// separate multiplication and addition, so its bits do not depend on the vector width in use.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pgcore/activation.hpp"

namespace pgcore {

class PolicyStack {
 public:
  // sizes: O, hidden widths..., A. params: [members, parameter_count()], owned by the caller, which
  // keeps it alive and unchanged while the stack is in use. Throws std::invalid_argument.
  PolicyStack(std::vector<int> sizes, Activation activation, std::span<const float> params,
              int members);

  int members() const noexcept { return members_; }
  int obs_dim() const noexcept { return sizes_.front(); }
  int act_dim() const noexcept { return sizes_.back(); }
  std::size_t parameter_count() const noexcept { return parameter_count_; }

  // Floats of scratch space that mean() needs.
  std::size_t scratch_size() const noexcept { return 2 * static_cast<std::size_t>(widest_); }

  // Mean action [A] of member `member` for the network input [O].
  void mean(int member, const float* input, float* scratch, float* out) const noexcept;

  // log_std [A] of a member.
  const float* log_std(int member) const noexcept;

 private:
  std::vector<int> sizes_;
  Activation activation_;
  const float* params_;
  int members_;
  int widest_ = 0;
  std::size_t parameter_count_ = 0;
};

// Standard deviation and normalising constant of one member's actions, computed once per stream.
struct GaussianHead {
  double* std;       // [A]
  double log_scale;  // sum of log_std + A/2 log(2 pi)
  int act_dim;

  void load(const float* log_std) noexcept;

  // Actions mean + std * noise in float32; returns log pi(action), exact for the rounded action.
  double sample(const float* mean, const double* noise, float* action) const noexcept;
};

}  // namespace pgcore
