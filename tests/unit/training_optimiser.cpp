// Adam, the moving average, gradient norms and schedules, against LibTorch's own and by hand.

#include <cmath>
#include <limits>
#include <torch/nn/module.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

#include "core/error.h"
#include "training/ema.h"
#include "training/gradients.h"
#include "training/optimiser.h"
#include "training/schedule.h"
#undef CHECK  // LibTorch's module headers bring glog's; doctest's must come after it
#include "weights_testing.h"

namespace sr::testing {
namespace {

/// Several shapes: one over a block of the fused loops, a channels-last one, a single number.
NamedParameters made_parameters(at::ScalarType type = at::kFloat) {
  at::manual_seed(3);
  const auto options = at::TensorOptions().dtype(type);
  NamedParameters parameters{
      {"large", at::randn({97, 211}, options)},
      {"laid_out", at::randn({8, 5, 3, 3}, options).contiguous(at::MemoryFormat::ChannelsLast)},
      {"bias", at::randn({17}, options)},
      {"number", at::randn({}, options)}};
  for (auto& [name, parameter] : parameters) parameter.requires_grad_();
  return parameters;
}

NamedParameters copies(const NamedParameters& of) {
  NamedParameters found;
  for (const auto& [name, parameter] : of)
    found.emplace_back(name, parameter.detach().clone().requires_grad_());
  return found;
}

std::vector<Tensor> tensors(const NamedParameters& parameters) {
  std::vector<Tensor> found;
  for (const auto& entry : parameters) found.push_back(entry.second);
  return found;
}

/// Other gradients at each step, of very different sizes.
void draw_gradients(const NamedParameters& parameters, int step) {
  at::manual_seed(100 + static_cast<std::uint64_t>(step));
  for (const auto& [name, parameter] : parameters)
    parameter.mutable_grad() = at::randn_like(parameter.detach()) * std::pow(10.0, step % 7 - 5);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return (a.detach() - b.detach()).abs().max().item<double>();
}

/// 50 steps of ours, moving average included, beside LibTorch's with an average by hand.
void compare_steps(const AdamConfig& config, torch::optim::Optimizer& theirs, const NamedParameters& ours,
                   const NamedParameters& reference, double tolerance) {
  constexpr double decay = 0.9, rate = 1e-3;
  Adam adam(ours, config);
  Ema ema(ours, decay);
  StateDict averages;
  for (const auto& [name, parameter] : reference) averages[name] = parameter.detach().clone();
  for (int step = 0; step < 50; ++step) {
    draw_gradients(ours, step);
    draw_gradients(reference, step);
    adam.step(rate, &ema);
    theirs.step();
    for (const auto& [name, parameter] : reference)
      averages.at(name).mul_(decay).add_(parameter.detach(), 1 - decay);
  }
  CHECK(adam.steps() == 50);
  for (size_t i = 0; i < ours.size(); ++i) {
    INFO(ours[i].first);
    CHECK(largest_difference(ours[i].second, reference[i].second) <= tolerance);
    CHECK(largest_difference(ema.find(ours[i].first), averages.at(ours[i].first)) <= tolerance);
  }
}

}  // namespace

TEST_CASE("Adam and AdamW take LibTorch's steps") {
  const double rate = 1e-3;
  for (const auto& [type, tolerance] : {std::pair{at::kFloat, 1e-6}, std::pair{at::kDouble, 1e-13}}) {
    for (const double decay : {0.0, 0.03}) {
      INFO(at::toString(type), " weight decay ", decay);
      AdamConfig config{.beta1 = 0.9, .beta2 = 0.99, .weight_decay = decay};
      const auto ours = made_parameters(type), reference = copies(ours);
      torch::optim::Adam adam(tensors(reference),
                              torch::optim::AdamOptions(rate).betas({0.9, 0.99}).weight_decay(decay));
      compare_steps(config, adam, ours, reference, tolerance);

      config.decoupled = true;
      const auto ours_w = made_parameters(type), reference_w = copies(ours_w);
      torch::optim::AdamW adamw(tensors(reference_w),
                                torch::optim::AdamWOptions(rate).betas({0.9, 0.99}).weight_decay(decay));
      compare_steps(config, adamw, ours_w, reference_w, tolerance);
    }
  }
}

TEST_CASE("Adam: the same bits from any number of threads, and gradients in any layout") {
  const int threads = at::get_num_threads();
  std::vector<NamedParameters> results;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    const auto parameters = results.emplace_back(made_parameters());
    Adam adam(parameters, {});
    for (int step = 0; step < 3; ++step) {
      draw_gradients(parameters, step);
      if (count == 3) {
        for (const auto& [name, parameter] : parameters)
          parameter.mutable_grad() = parameter.grad().clone(at::MemoryFormat::Contiguous);
      }
      adam.step(1e-2);
    }
  }
  at::set_num_threads(threads);
  for (const auto& result : results) {
    for (size_t i = 0; i < result.size(); ++i) CHECK(result[i].second.equal(results[0][i].second));
  }
}

TEST_CASE("Adam's state: a resumed run goes on with the same bits") {
  const auto whole = made_parameters(), resumed = copies(whole);
  Adam first(whole, {});
  for (int step = 0; step < 4; ++step) {
    draw_gradients(whole, step);
    first.step(1e-3);
  }
  StateDict saved;
  for (const auto& [name, tensor] : first.state()) saved[name] = tensor.clone();
  CHECK(saved.at("step").item<int64_t>() == 4);
  CHECK(saved.count("exp_avg.large") + saved.count("exp_avg_sq.number") == 2);
  {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < whole.size(); ++i) Tensor(resumed[i].second).copy_(whole[i].second);
  }
  Adam second(resumed, {});
  second.load_state(saved);
  for (Adam* adam : {&first, &second}) {
    draw_gradients(adam->parameters(), 9);
    adam->step(1e-3);
    CHECK(adam->steps() == 5);
  }
  for (size_t i = 0; i < whole.size(); ++i) CHECK(whole[i].second.equal(resumed[i].second));

  StateDict lacking = saved, misshapen = saved, surplus = saved;
  lacking.erase("exp_avg.bias");
  misshapen["exp_avg_sq.bias"] = at::ones({3});
  surplus["exp_avg.other"] = at::ones({3});
  CHECK(contains(error_of([&] { second.load_state(lacking); }), "exp_avg.bias is missing"));
  CHECK(contains(error_of([&] { second.load_state(misshapen); }), "exp_avg_sq.bias is 3, not 17"));
  CHECK(contains(error_of([&] { second.load_state(surplus); }), "exp_avg.other is unexpected"));
  CHECK(second.steps() == 5);
}

TEST_CASE("Adam: a parameter without a gradient stays, and its average follows") {
  const auto parameters = made_parameters();
  Adam adam(parameters, {});
  Ema ema(parameters, 0.5);
  {
    const at::NoGradGuard no_grad;
    Tensor(parameters[2].second).add_(1);
  }
  const Tensor before = parameters[2].second.detach().clone();
  const Tensor expected = (ema.find("bias") + before) / 2;
  draw_gradients(parameters, 0);
  parameters[2].second.mutable_grad() = Tensor();
  adam.step(1e-3, &ema);
  CHECK(parameters[2].second.equal(before));
  CHECK(largest_difference(ema.find("bias"), expected) < 1e-6);
  CHECK(adam.state().at("exp_avg.bias").eq(0).all().item<bool>());
  drop_gradients(parameters);
  for (const auto& entry : parameters) CHECK_FALSE(entry.second.grad().defined());
}

TEST_CASE("Adam and the moving average: settings that can't be") {
  CHECK(contains(error_of([] { Adam({}, {}); }), "no parameters to train"));
  CHECK(contains(error_of([] { Adam(made_parameters(), {.beta1 = 1}); }), "betas"));
  CHECK(contains(error_of([] { Adam(made_parameters(), {.weight_decay = -1}); }), "negative"));
  CHECK(contains(error_of([] { Ema(made_parameters(), 1); }), "between 0 and 1"));
}

TEST_CASE("the moving average follows parameters by itself, too") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto parameters = made_parameters(type);
    Ema ema(parameters, 0.999);
    const Tensor begun = parameters[0].second.detach().clone();
    CHECK(ema.find("large").equal(begun));
    {
      const at::NoGradGuard no_grad;
      for (const auto& entry : parameters) Tensor(entry.second).add_(1);
    }
    ema.update();
    CHECK(largest_difference(ema.find("large"), begun + 0.001) < 1e-6);
    CHECK_FALSE(ema.find("unknown").defined());
    StateDict state;
    for (const auto& [name, tensor] : ema.state()) state[name] = at::full_like(tensor, 7);
    ema.load_state(state);
    CHECK(ema.find("number").item<double>() == 7);
    state.erase("number");
    CHECK(contains(error_of([&] { ema.load_state(state); }), "the moving average: number is missing"));
  }
}

TEST_CASE("gradient norms are clipped as LibTorch clips them") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    for (const double longest : {0.5, 1e9}) {
      const auto ours = made_parameters(type), theirs = copies(ours);
      draw_gradients(ours, 6);
      draw_gradients(theirs, 6);
      const Tensor untouched = ours[0].second.grad().clone();
      const double expected = torch::nn::utils::clip_grad_norm_(tensors(theirs), longest);
      CHECK(clip_gradient_norm(ours, longest) == doctest::Approx(expected).epsilon(1e-6));
      for (size_t i = 0; i < ours.size(); ++i)
        CHECK(at::allclose(ours[i].second.grad(), theirs[i].second.grad(), 1e-5, 0));
      CHECK(ours[0].second.grad().equal(untouched) == (longest > 1));
      CHECK(gradient_norm(ours) == doctest::Approx(std::min(expected, longest)).epsilon(1e-5));
    }
  }
  const auto broken = made_parameters();
  CHECK(gradient_norm(broken) == 0);
  draw_gradients(broken, 0);
  broken[1].second.mutable_grad()[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(gradient_norm(broken)));
}

TEST_CASE("schedules at their edges") {
  const Schedule constant{.base = 0.5, .course = ConstantRate{}};
  CHECK(constant.rate(0) == 0.5);
  CHECK(constant.rate(1'000'000) == 0.5);

  const Schedule steps{.base = 8, .course = MultiStepRate{.milestones = {100, 200, 200}, .gamma = 0.5}};
  steps.check();
  CHECK(steps.rate(99) == 8);
  CHECK(steps.rate(100) == 4);
  CHECK(steps.rate(199) == 4);
  CHECK(steps.rate(200) == 1);

  const Schedule cosine{.base = 1,
                        .course = CosineRate{.periods = {10, 20}, .weights = {1, 0.5}, .minimum = 0.1}};
  cosine.check();
  CHECK(cosine.rate(0) == 1);
  CHECK(cosine.rate(5) == doctest::Approx(0.55));
  CHECK(cosine.rate(10) == doctest::Approx(0.1));
  CHECK(cosine.rate(11) == doctest::Approx(0.1 + 0.5 * 0.45 * (1 + std::cos(std::acos(-1) / 20))));
  CHECK(cosine.rate(20) == doctest::Approx(0.1 + 0.5 * 0.45));
  CHECK(cosine.rate(30) == doctest::Approx(0.1));
  CHECK(cosine.rate(31) == 0.1);

  const Schedule warm{.base = 4, .course = MultiStepRate{.milestones = {6}}, .warm_up = 4};
  CHECK(warm.rate(0) == 1);
  CHECK(warm.rate(2) == 3);
  CHECK(warm.rate(3) == 4);
  CHECK(warm.rate(6) == 2);
}

TEST_CASE("schedules that can't be") {
  const auto complaint = [](const Schedule& schedule) { return error_of([&] { schedule.check(); }); };
  CHECK(contains(complaint({.course = MultiStepRate{.milestones = {2, 1}}}), "must ascend"));
  CHECK(contains(complaint({.course = CosineRate{}}), "needs a period"));
  CHECK(contains(complaint({.course = CosineRate{.periods = {0}}}), "1 iteration or more"));
  CHECK(contains(complaint({.course = CosineRate{.periods = {1}, .weights = {1, 2}}}), "1 periods and 2"));
  CHECK(contains(complaint({.base = -1}), "negative"));
}

}  // namespace sr::testing
