#pragma once
// The loops over all numbers of a network that a step of training ends with: one pass, shared among the
// threads in blocks, where tensor operations would make ten. For float32 on the CPU. All processors and any
// number of threads give the same bits.

#include <cstdint>
#include <vector>

#include "core/torch.h"

namespace sr {

/// A parameter and what is updated with it, `size` numbers each, in the same order in memory. Null: not
/// there.
struct UpdateSpan {
  std::int64_t size = 0;
  float* parameter = nullptr;
  const float* gradient = nullptr;
  float* exp_avg = nullptr;
  float* exp_avg_sq = nullptr;
  float* average = nullptr;  ///< the moving average of the parameter
};

struct AdamFactors {
  float beta1, one_minus_beta1, beta2, one_minus_beta2;
  float decay;          ///< added to the gradient: this times the parameter
  float keep;           ///< the parameter, first of all, times this
  float root_of_bias2;  ///< sqrt(1 - beta2^step)
  float epsilon;
  float step_size;  ///< learning rate / (1 - beta1^step)
};

struct AverageFactors {
  float decay, one_minus_decay;
  explicit AverageFactors(double kept)
      : decay(static_cast<float>(kept)), one_minus_decay(static_cast<float>(1 - kept)) {}
};

/// Adam's update of each span, and of its average where it has one.
void adam_pass(const std::vector<UpdateSpan>& spans, const AdamFactors& adam, const AverageFactors& averages);

/// average = decay average + (1 - decay) parameter.
void average_pass(const std::vector<UpdateSpan>& spans, const AverageFactors& averages);

/// Sum of the squares of all gradients.
double sum_of_squares(const std::vector<UpdateSpan>& spans);

/// The loops can take the tensor: float32, on the CPU, without gaps.
bool suits_update_passes(const Tensor& tensor);

}  // namespace sr
