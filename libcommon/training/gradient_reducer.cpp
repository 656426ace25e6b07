#include "training/gradient_reducer.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <utility>

#include "core/error.h"

namespace sr {
namespace {

constexpr std::int64_t kLargestBucket = 25 << 20, kSmallestBucket = 1 << 20;  // bytes
constexpr std::int64_t kBuckets = 8;  // at least, so that small networks' sums overlap too
constexpr std::int64_t kAlignment = 16;

std::int64_t bytes(const Tensor& tensor) { return static_cast<std::int64_t>(tensor.nbytes()); }

std::int64_t aligned(std::int64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

/// A parameter's place in a bucket.
struct GradientReducer::Entry {
  Tensor parameter;
  Tensor gradient;  ///< a view of the bucket, laid out like the parameter
  Tensor present;   ///< a view of one number: of how many ranks had a gradient
  std::shared_ptr<torch::autograd::Node> accumulator;  ///< the parameter itself holds it weakly
  std::uintptr_t hook = 0;
  bool collected = false;

  /// Puts this rank's part of the mean over `ranks` into its place, where the gradient may lie already.
  void collect(int ranks) {
    const at::NoGradGuard no_grad;
    const Tensor& current = parameter.grad();
    present.fill_(current.defined() ? 1 : 0);
    if (!current.defined()) {
      gradient.zero_();
    } else if (current.device() == gradient.device()) {
      at::div_out(gradient, current, at::scalar_tensor(ranks, current.options()));  // one pass over both
    } else {
      gradient.copy_(current).div_(ranks);
    }
    collected = true;
  }

  /// From the sums over all ranks.
  void set_gradient(bool anywhere) {
    collected = false;
    if (!anywhere) {
      parameter.mutable_grad() = Tensor();
    } else {
      parameter.mutable_grad() = gradient.to(parameter.device());
    }
  }
};

/// Gradients that travel together: all of them, padded, then the entries' `present`.
struct GradientReducer::Bucket {
  Tensor values, present;
  std::vector<Entry> entries;
  size_t awaited = 0;
  ProcessGroup::Finish finish;
};

class GradientReducer::ArrivalHook : public torch::autograd::FunctionPostHook {
 public:
  ArrivalHook(GradientReducer& reducer, Bucket& bucket, Entry& entry)
      : reducer_(reducer), bucket_(bucket), entry_(entry) {}

  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                            const torch::autograd::variable_list& /*inputs*/) override {
    reducer_.arrived(bucket_, entry_);
    return outputs;
  }

 private:
  GradientReducer& reducer_;
  Bucket& bucket_;
  Entry& entry_;
};

GradientReducer::GradientReducer(ProcessGroup& group, const NamedParameters& parameters) : group_(group) {
  if (group_.count() == 1) return;
  for (const auto& [name, parameter] : parameters) {
    if (!parameter.requires_grad() || !parameter.is_leaf())
      throw Error(fmt::format("{}: gradients of what isn't trained can't be averaged", name));
  }
  make_buckets(parameters);
  add_hooks();
}

GradientReducer::~GradientReducer() {
  for (const auto& bucket : buckets_) {
    for (const Entry& entry : bucket->entries) entry.accumulator->del_post_hook(entry.hook);
  }
}

void GradientReducer::make_buckets(const NamedParameters& parameters) {
  std::int64_t total = 0;
  for (const auto& [name, parameter] : parameters) total += bytes(parameter);
  const std::int64_t limit = std::clamp(total / kBuckets, kSmallestBucket, kLargestBucket);
  std::vector<Tensor> chosen;
  std::int64_t size = 0;
  // the backward pass comes to the last first
  for (auto entry = parameters.rbegin(); entry != parameters.rend(); ++entry) {
    const Tensor& parameter = entry->second;
    if (!chosen.empty() && (size >= limit || parameter.scalar_type() != chosen[0].scalar_type())) {
      add_bucket(chosen);
      chosen.clear();
      size = 0;
    }
    chosen.push_back(parameter);
    size += bytes(parameter);
  }
  if (!chosen.empty()) add_bucket(chosen);
}

void GradientReducer::add_bucket(const std::vector<Tensor>& parameters) {
  std::int64_t size = 0;
  for (const Tensor& parameter : parameters) size += aligned(parameter.numel());
  const auto count = static_cast<std::int64_t>(parameters.size());
  auto bucket = std::make_unique<Bucket>();
  // zeros: the padding is summed too
  bucket->values =
      at::zeros({size + count}, at::TensorOptions(parameters[0].scalar_type()).device(group_.device()));
  bucket->present = bucket->values.narrow(0, size, count);
  std::int64_t begin = 0;
  for (const Tensor& parameter : parameters) {
    const bool dense = parameter.is_non_overlapping_and_dense();
    Entry& entry = bucket->entries.emplace_back();
    entry.parameter = parameter;
    entry.gradient = dense ? bucket->values.as_strided(parameter.sizes(), parameter.strides(), begin)
                           : bucket->values.narrow(0, begin, parameter.numel()).view(parameter.sizes());
    entry.present = bucket->present[static_cast<std::int64_t>(bucket->entries.size()) - 1];
    begin += aligned(parameter.numel());
  }
  bucket->awaited = bucket->entries.size();
  buckets_.push_back(std::move(bucket));
}

void GradientReducer::add_hooks() {
  for (const auto& bucket : buckets_) {
    for (Entry& entry : bucket->entries) {
      entry.accumulator = torch::autograd::impl::grad_accumulator(entry.parameter);
      entry.hook = entry.accumulator->add_post_hook(std::make_unique<ArrivalHook>(*this, *bucket, entry));
    }
  }
}

void GradientReducer::expect_backward(bool last) { expecting_ = last; }

void GradientReducer::arrived(Bucket& bucket, Entry& entry) {
  if (!expecting_) return;
  if (entry.collected) throw Error("a parameter got its gradient twice in one backward pass");
  entry.collect(group_.count());
  --bucket.awaited;
  start_complete_buckets();
}

void GradientReducer::start_complete_buckets() {
  for (; started_ < buckets_.size() && buckets_[started_]->awaited == 0; ++started_) {
    Bucket& bucket = *buckets_[started_];
    bucket.finish = group_.start_sum(bucket.values);
  }
}

double GradientReducer::finish() {
  using Clock = std::chrono::steady_clock;
  expecting_ = false;
  for (const auto& bucket : buckets_) {
    for (Entry& entry : bucket->entries) {
      if (!entry.collected) entry.collect(group_.count());
    }
    bucket->awaited = 0;
  }
  start_complete_buckets();
  Clock::duration waited{};
  for (const auto& bucket : buckets_) {
    const auto begin = Clock::now();
    std::exchange(bucket->finish, {})();  // the sum's end lets go of the connections
    waited += Clock::now() - begin;
    const Tensor present = bucket->present.to(at::TensorOptions(at::kCPU).dtype(at::kDouble));
    for (size_t i = 0; i < bucket->entries.size(); ++i)
      bucket->entries[i].set_gradient(present.data_ptr<double>()[i] > 0);
    bucket->awaited = bucket->entries.size();
  }
  started_ = 0;
  return std::chrono::duration<double>(waited).count();
}

}  // namespace sr
