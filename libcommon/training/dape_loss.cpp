#include "training/dape_loss.h"

namespace sr {

DapeLoss::Terms DapeLoss::operator()(const RamAnswers& student, const RamAnswers& teacher) const {
  const Tensor probabilities = teacher.logits.detach().sigmoid();
  return {.embeddings = at::mse_loss(student.embeddings, teacher.embeddings.detach()) * embedding_weight,
          .logits = at::binary_cross_entropy_with_logits(student.logits, probabilities) * logit_weight};
}

}  // namespace sr
