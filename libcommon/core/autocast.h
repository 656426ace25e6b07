#pragma once
// Convolutions and products in half the bits while weights stay float32: LibTorch's autocast, whose calls
// differ from version to version.

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include "core/torch.h"

namespace sr {

/// Where networks are reckoned, and the type of their convolutions and products; weights stay float32.
struct Arithmetic {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
};

/// What autocast does on `device` right now.
Arithmetic current_arithmetic(const at::Device& device);

/// While it lives, and `type` is not float32, operators that stand it take and give `type`. For forward
/// passes alone.
class Autocast {
 public:
  explicit Autocast(const Arithmetic& arithmetic)
      : device_(arithmetic.device.type()),
        on_(arithmetic.type != at::kFloat && current_arithmetic(arithmetic.device).type == at::kFloat) {
    if (!on_) return;
    at::autocast::increment_nesting();
    set_type(arithmetic.type);
    enable(true);
  }
  ~Autocast() {
    if (!on_) return;
    enable(false);
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  void enable(bool on) const { at::autocast::set_autocast_enabled(device_, on); }
  void set_type(at::ScalarType type) const { at::autocast::set_autocast_dtype(device_, type); }
#else
  void enable(bool on) const {
    device_ == at::kCPU ? at::autocast::set_cpu_enabled(on) : at::autocast::set_enabled(on);
  }
  void set_type(at::ScalarType type) const {
    device_ == at::kCPU ? at::autocast::set_autocast_cpu_dtype(type)
                        : at::autocast::set_autocast_gpu_dtype(type);
  }
#endif

  at::DeviceType device_;
  bool on_;
};

inline Arithmetic current_arithmetic(const at::Device& device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  const bool on = at::autocast::is_autocast_enabled(device.type());
  return {device, on ? at::autocast::get_autocast_dtype(device.type()) : at::kFloat};
#else
  const bool cpu = device.type() == at::kCPU;
  const bool on = cpu ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
  const auto type = cpu ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
  return {device, on ? type : at::kFloat};
#endif
}

}  // namespace sr
