// Inference of a stack of Gaussian MLP policies, one observation at a time.
//
// A member's parameters are one row of a float32 array [M, P]: for each layer the weights [in, out]
// and the biases [out], then log_std [A] if it is free. A product of the network is a sum in index
// order with separate multiplication and addition, so its bits do not depend on the vector width in
// use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pgcore/activation.hpp"

namespace pgcore {

// What makes log_std: a free parameter, or outputs x of the network behind those of the mean.
enum class StdMap : std::uint8_t {
  kFree,      // the parameter
  kClamp,     // x within [log_std_low, log_std_high]
  kSoftplus,  // log(log(1 + exp(x)) + min_std)
};

// What a stack of policies is besides its sizes and its parameters.
struct PolicyKind {
  Activation activation;  // between the layers
  Activation mean_map;    // from its outputs to the mean
  StdMap std_map;
  double log_std_low;
  double log_std_high;
  double min_std;
};

// Throws std::invalid_argument for unknown names; std is "free" or "state".
StdMap parse_std(std::string_view std, std::string_view map);

class PolicyStack {
 public:
  // sizes: O, hidden widths..., A or, unless log_std is free, 2A. params: [members,
  // parameter_count()], owned by the caller, which keeps it alive and unchanged while the stack is
  // in use. Throws std::invalid_argument.
  PolicyStack(std::vector<int> sizes, const PolicyKind& kind, std::span<const float> params,
              int members);

  const PolicyKind& kind() const noexcept { return kind_; }
  bool free_std() const noexcept { return kind_.std_map == StdMap::kFree; }
  int members() const noexcept { return members_; }
  int obs_dim() const noexcept { return sizes_.front(); }
  int act_dim() const noexcept { return free_std() ? sizes_.back() : sizes_.back() / 2; }
  std::size_t output_size() const noexcept { return static_cast<std::size_t>(sizes_.back()); }
  std::size_t parameter_count() const noexcept { return parameter_count_; }

  // Floats of scratch space that run() needs.
  std::size_t scratch_size() const noexcept { return 2 * static_cast<std::size_t>(widest_); }

  // Outputs of the network of member `member` for the input [O]: the mean action [A], then, unless
  // log_std is free, what log_std is made of [A].
  void run(int member, const float* input, float* scratch, float* out) const noexcept;

  // What log_std is made of if it is free: the parameters [A] of a member.
  const float* log_std(int member) const noexcept;

 private:
  std::vector<int> sizes_;
  PolicyKind kind_;
  const float* params_;
  int members_;
  int widest_ = 0;
  std::size_t parameter_count_ = 0;
};

// Standard deviation and normalising constant of an action: of all of a stream's if log_std is
// free.
struct GaussianHead {
  double* std;       // [A]
  double log_scale;  // sum of log_std + A/2 log(2 pi)
  int act_dim;

  // From what log_std is made of [A].
  void load(const PolicyKind& kind, const float* raw) noexcept;

  // Actions mean + std * noise in float32; returns log pi(action), exact for the rounded action.
  double sample(const float* mean, const double* noise, float* action) const noexcept;
};

}  // namespace pgcore
