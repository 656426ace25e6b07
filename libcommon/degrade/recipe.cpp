#include "degrade/recipe.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"

namespace sr {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 8> kKernelNames{
    "iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso", "sinc", "pulse"};
constexpr std::array<std::string_view, 7> kModeNames{"area",     "bilinear", "bicubic", "cv_linear",
                                                     "cv_cubic", "cv_area",  "matlab"};

constexpr std::int64_t kMostSide = 1'000'000;

bool is_utf8(const std::string& text) {
  try {
    Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

template <class Enum, size_t N>
std::optional<Enum> named(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return static_cast<Enum>(at - names.begin());
}

// --- the fields of each operation, said once for both directions -------------------------------------------

constexpr std::array kOperationNames{"sharpen",        "blur",          "resize",           "subsample",
                                     "gaussian_noise", "speckle_noise", "correlated_noise", "poisson_noise",
                                     "photon_noise",   "camera_noise",  "diff_jpeg",        "jpeg",
                                     "round"};
static_assert(kOperationNames.size() == std::variant_size_v<Operation>);

template <class Io>
void fields(Io& io, Sharpen& op) {
  io("radius", op.usm.radius);
  io("weight", op.usm.weight);
  io("threshold", op.usm.threshold);
}

template <class Io>
void fields(Io& io, Blur& op) {
  io("kernel", op.kernel);
  io("size", op.size);
  io("sigma_x", op.sigma_x);
  io("sigma_y", op.sigma_y);
  io("rotation", op.rotation);
  io("beta", op.beta);
  io("cutoff", op.cutoff);
}

template <class Io>
void fields(Io& io, Resize& op) {
  io("mode", op.mode);
  io("factor", op.factor);
  io("height", op.height);
  io("width", op.width);
}

template <class Io>
void fields(Io& io, Subsample& op) {
  io("size", op.size);
  io("scale", op.scale);
  io("sigma", op.sigma);
}

template <class Io, class Noise>
requires requires(Noise& op) { op.sigma, op.gray; }
void fields(Io& io, Noise& op) {
  io("sigma", op.sigma);
  io("gray", op.gray);
  io("key", op.key);
}

template <class Io>
void fields(Io& io, CorrelatedNoise& op) {
  io("covariance", op.covariance);
  io("key", op.key);
}

template <class Io>
void fields(Io& io, PoissonNoise& op) {
  io("scale", op.scale);
  io("gray", op.gray);
  io("key", op.key);
}

template <class Io>
void fields(Io& io, PhotonNoise& op) {
  io("photons", op.photons);
  io("gray", op.gray);
  io("key", op.key);
}

template <class Io>
void fields(Io& io, CameraNoise& op) {
  io("camera_weights", op.isp.camera_weights);
  io("exposure", op.isp.exposure);
  io("red_gain", op.isp.red_gain);
  io("blue_gain", op.isp.blue_gain);
  io("shot_noise", op.isp.shot_noise);
  io("read_noise", op.isp.read_noise);
  io("key", op.key);
}

template <class Io, class Jpeg>
requires requires(Jpeg& op) { op.quality; }
void fields(Io& io, Jpeg& op) { io("quality", op.quality); }

template <class Io>
void fields(Io&, Round&) {}

template <class Io>
void fields(Io& io, HrCut& cut) {
  io("resize", cut.resize);
  io("left", cut.left);
  io("top", cut.top);
  io("height", cut.height);
  io("width", cut.width);
  io("flip", cut.flip);
  io("sharpen", cut.sharpen);
}

template <class Io>
void head(Io& io, Recipe& recipe) {
  io("height", recipe.height);
  io("width", recipe.width);
  io("scale", recipe.scale);
  io("upscaled", recipe.upscaled);
}

/// Writes what is not 0 or false.
class Writer {
 public:
  explicit Writer(Json& object) : object_(object) {}

  template <class T>
  void operator()(const char* key, const T& value) {
    if constexpr (std::is_enum_v<T>) {
      object_[key] = name_of(value);
    } else if (value != T{}) {
      object_[key] = value;
    }
  }

 private:
  Json& object_;
};

/// Reads what is there, and refuses what it does not know.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) {
    if (!object.is_object()) throw Error("no JSON object where a recipe has one");
  }

  template <class T>
  void operator()(const char* key, T& value) {
    known_.insert(key);
    const auto at = object_.find(key);
    if constexpr (std::is_arithmetic_v<T>) value = T{};  // what is left out is 0, whatever the default
    if (at == object_.end()) return;
    if constexpr (std::is_same_v<T, KernelKind>) {
      value = named_value(key, kernel_kind(at->template get<std::string>()));
    } else if constexpr (std::is_same_v<T, ResizeMode>) {
      value = named_value(key, resize_mode(at->template get<std::string>()));
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      value = whole_number<T>(key, *at);
    } else {
      at->get_to(value);
    }
  }

  void know(const char* key) { known_.insert(key); }

  void refuse_others() const {
    for (const auto& [key, value] : object_.items()) {
      if (known_.count(key) == 0) throw Error(fmt::format("'{}' is not known here", key));
    }
  }

 private:
  template <class T>
  static T whole_number(const char* key, const Json& value) {
    constexpr auto most = static_cast<std::int64_t>(std::numeric_limits<T>::max());
    const bool fits =
        value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX);
    const auto number = fits ? value.get<std::int64_t>() : -1;
    if (!fits || number < 0 || number > most)
      throw Error(fmt::format("'{}' is no whole number that fits", key));
    return static_cast<T>(number);
  }

  template <class Enum>
  Enum named_value(const char* key, std::optional<Enum> value) const {
    if (value) return *value;
    throw Error(fmt::format("'{}' is no {}", object_.at(key).template get<std::string>(), key));
  }

  const Json& object_;
  std::set<std::string> known_;
};

template <size_t I = 0>
Operation operation_named(const std::string& name) {
  if (name == kOperationNames[I]) return Operation(std::in_place_index<I>);
  if constexpr (I + 1 < std::variant_size_v<Operation>) return operation_named<I + 1>(name);
  throw Error(fmt::format("'{}' is no operation", name));
}

// --- what is too large, or makes no sense, in a recipe that someone has written by hand --------------------

void require(bool holds, const char* sentence) {
  if (!holds) throw Error(sentence);
}

void check(const Resize& op) {
  constexpr double kMost = 64;
  require(op.factor == 0 || (op.factor >= 1 / kMost && op.factor <= kMost),
          "a factor lies between 1/64 and 64");
  require(op.height <= kMostSide && op.width <= kMostSide, "a resize to such a size is refused");
}

void check_kernel(int size) {
  constexpr int kMost = 255;
  require(size % 2 == 1 && size <= kMost, "a kernel's size is odd and at most 255");
}

void check(const Blur& op) { check_kernel(op.size); }
void check(const Subsample& op) {
  check_kernel(op.size);
  require(op.scale >= 1 && op.scale <= 64, "a subsampling scale lies between 1 and 64");
}
void check(const Sharpen& op) { require(op.usm.radius <= 1000, "a sharpening radius is at most 1000"); }
void check(const GaussianNoise& op) { require(op.sigma >= 0, "a deviation is not negative"); }
void check(const SpeckleNoise& op) { require(op.sigma >= 0, "a deviation is not negative"); }
void check(const PoissonNoise& op) { require(op.scale >= 0, "a noise's scale is not negative"); }
void check(const PhotonNoise& op) { require(op.photons > 0, "photons are more than none"); }
void check(const CameraNoise&) {}
void check(const CorrelatedNoise&) {}
void check(const DiffJpeg& op) {
  require(op.quality > 0 && op.quality < 100, "DiffJPEG's quality lies between 0 and 100");
}
void check(const CodecJpeg& op) {
  require(op.quality >= 1 && op.quality <= 100, "a JPEG quality is 1 to 100");
}
void check(const Round&) {}

void check(const Recipe& recipe) {
  require(recipe.cut.resize <= kMostSide && recipe.height <= kMostSide && recipe.width <= kMostSide,
          "a picture of such a size is refused");
  for (const auto& step : recipe.steps) {
    std::visit([](const auto& operation) { check(operation); }, step.operation);
  }
}

Json json_of(Step step) {
  Json object{{"step", step.name}, {"op", kOperationNames[step.operation.index()]}};
  Writer writer(object);
  std::visit([&](auto& operation) { fields(writer, operation); }, step.operation);
  return object;
}

Step step_of(const Json& object) {
  Reader reader(object);
  Step step;
  std::string op;
  reader("step", step.name);
  reader("op", op);
  step.operation = operation_named(op);
  std::visit([&](auto& operation) { fields(reader, operation); }, step.operation);
  reader.refuse_others();
  return step;
}

Recipe recipe_of(const Json& object) {
  Recipe recipe;
  Reader reader(object);
  reader("image", recipe.image);
  head(reader, recipe);
  reader.know("cut");
  reader.know("steps");
  reader.refuse_others();
  Reader cut(object.at("cut"));
  fields(cut, recipe.cut);
  cut.refuse_others();
  if (!object.at("steps").is_array()) throw Error("'steps' is no list");
  for (const auto& step : object.at("steps")) recipe.steps.push_back(step_of(step));
  check(recipe);
  return recipe;
}

}  // namespace

std::string_view name_of(KernelKind kind) { return kKernelNames[static_cast<size_t>(kind)]; }
std::string_view name_of(ResizeMode mode) { return kModeNames[static_cast<size_t>(mode)]; }
std::optional<KernelKind> kernel_kind(std::string_view name) { return named<KernelKind>(kKernelNames, name); }
std::optional<ResizeMode> resize_mode(std::string_view name) { return named<ResizeMode>(kModeNames, name); }

std::string name_in_recipe(const std::string& name) {
  const bool utf8 = is_utf8(name);
  std::string result;
  for (const unsigned char c : name) {
    const bool kept = c != '\\' && (utf8 || c < 0x80);
    result += kept ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02X}", c);
  }
  return result;
}

std::string to_json(const Recipe& recipe) {
  Json object{{"image", name_in_recipe(recipe.image)}};
  Writer writer(object);
  Recipe copy = recipe;
  head(writer, copy);
  Json cut = Json::object();
  Writer cut_writer(cut);
  fields(cut_writer, copy.cut);
  object["cut"] = std::move(cut);
  object["steps"] = Json::array();
  for (const auto& step : recipe.steps) object["steps"].push_back(json_of(step));
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Recipe recipe_from_json(const std::string& line) {
  try {
    return recipe_of(Json::parse(line));
  } catch (const nlohmann::json::exception& error) {
    std::string reason = error.what();
    throw Error("no recipe: " + reason.substr(reason.find("] ") + 2));
  }
}

}  // namespace sr
