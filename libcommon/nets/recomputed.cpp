#include "nets/recomputed.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/autocast.h"

namespace sr {
namespace {

using Part = std::function<Tensor(const Tensor&)>;

/// What a part must find again to answer the same.
struct Setting {
  Part part;
  Arithmetic arithmetic;
  Tensor random;  ///< the generator's state

  Tensor run(const Tensor& input) const {
    auto generator = at::detail::getDefaultCPUGenerator();
    const Tensor later = generator.get_state();
    generator.set_state(random);
    const Autocast autocast(arithmetic);
    const Tensor output = part(input);
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
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input,
                        const std::shared_ptr<Setting>& setting) {
    context->save_for_backward({input});
    context->saved_data["setting"] = at::IValue::make_capsule(c10::make_intrusive<Holder>(setting));
    return setting->part(input);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    const auto capsule = context->saved_data["setting"].toCapsule();
    const auto* holder = static_cast<const Holder*>(capsule.get());
    const Tensor input = context->get_saved_variables()[0].detach().requires_grad_(true);
    const at::AutoGradMode with_gradient(true);
    const Tensor output = holder->setting->run(input);
    torch::autograd::backward({output}, {gradients[0]});
    return {input.grad(), Tensor()};
  }
};

}  // namespace

Tensor recomputed(const Part& part, const Tensor& input) {
  const auto setting = std::make_shared<Setting>();
  setting->part = part;
  setting->arithmetic = current_arithmetic(input.device());
  setting->random = at::detail::getDefaultCPUGenerator().get_state();
  return Recomputed::apply(input, setting);
}

}  // namespace sr
