#include "nets/recomputed.h"

#include <ATen/CPUGeneratorImpl.h>
#include <algorithm>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/autocast.h"

namespace sr {
namespace {

using Part = std::function<Tensor(const std::vector<Tensor>&)>;

bool learns(const Tensor& tensor) { return tensor.requires_grad(); }

/// What a part must find again to answer the same.
struct Setting {
  Part part;
  Arithmetic arithmetic;
  Tensor random;  ///< the generator's state

  Tensor run(const std::vector<Tensor>& inputs) const {
    auto generator = at::detail::getDefaultCPUGenerator();
    const Tensor later = generator.get_state();
    generator.set_state(random);
    const Autocast autocast(arithmetic);
    Tensor output = part(inputs);
    generator.set_state(later);
    return output;
  }
};

/// As autograd keeps what is no tensor.
struct Holder : torch::CustomClassHolder {
  explicit Holder(std::shared_ptr<Setting> kept) : setting(std::move(kept)) {}
  std::shared_ptr<Setting> setting;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs,
                        const std::shared_ptr<Setting>& setting) {
    context->save_for_backward(inputs.vec());
    context->saved_data["setting"] = at::IValue::make_capsule(c10::make_intrusive<Holder>(setting));
    return setting->part(inputs.vec());
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    const auto capsule = context->saved_data["setting"].toCapsule();
    const auto* holder = static_cast<const Holder*>(capsule.get());
    auto inputs = context->get_saved_variables();
    for (Tensor& input : inputs) input = input.detach().requires_grad_(learns(input));
    const at::AutoGradMode with_gradient(true);
    const Tensor output = holder->setting->run(inputs);
    torch::autograd::backward({output}, {gradients[0]});
    torch::autograd::tensor_list found;
    for (const Tensor& input : inputs) found.push_back(learns(input) ? input.grad() : Tensor());
    found.emplace_back();  // the setting's
    return found;
  }
};

}  // namespace

Tensor recomputed(const Part& part, std::vector<Tensor> inputs) {
  // Parameters within learn too where no input does, and autograd asks the inputs alone.
  if (std::ranges::none_of(inputs, learns)) inputs[0] = inputs[0].detach().requires_grad_(true);
  const auto setting = std::make_shared<Setting>();
  setting->part = part;
  setting->arithmetic = current_arithmetic(inputs[0].device());
  setting->random = at::detail::getDefaultCPUGenerator().get_state();
  return Recomputed::apply(at::TensorList(inputs), setting);
}

Tensor recomputed(const std::function<Tensor(const Tensor&)>& part, const Tensor& input) {
  return recomputed([part](const std::vector<Tensor>& inputs) { return part(inputs[0]); },
                    std::vector<Tensor>{input});
}

}  // namespace sr
