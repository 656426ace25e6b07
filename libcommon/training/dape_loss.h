#pragma once
// DAPE's loss: a student that sees degraded images says what RAM, its teacher, says of the sharp ones.
// Paper: Wu et al., "SeeSR: Towards Semantics-Aware Real-World Image Super-Resolution", CVPR 2024, Eq. 1.
// Source: cswry/SeeSR basicsr/models/dape_model.py DAPEModel.optimize_parameters (@8edecc7).

#include "core/torch.h"

namespace sr {

/// What RAM says of images: embeddings [N,tokens,C] and logits [N,tags].
struct RamAnswers {
  Tensor embeddings, logits;
};

struct DapeLoss {
  struct Terms {
    Tensor embeddings;  ///< mean squared error
    Tensor logits;      ///< mean binary cross entropy against the teacher's probabilities
    Tensor sum() const { return embeddings + logits; }
  };

  double embedding_weight = 1, logit_weight = 1;

  /// No gradient reaches the teacher. The cross entropy is reckoned from logits: the official form, by the
  /// logarithms of probabilities, has the same values and is infinite for extreme ones.
  Terms operator()(const RamAnswers& student, const RamAnswers& teacher) const;
};

}  // namespace sr
