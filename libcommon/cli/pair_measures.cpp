#include "cli/pair_measures.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <memory>

#include "cli/measured_picture.h"
#include "core/error.h"
#include "quality/dists.h"
#include "quality/lpips.h"
#include "quality/topiq.h"

namespace sr {
namespace {

/// What a measure is made of.
struct Ingredients {
  std::string weights;  ///< its own file, or a name of the catalogue
  const Protocol& protocol;
  WeightsSource& source;
};

using Scorer = std::function<double(PicturePair&)>;
/// The score, and the protocol in one line.
using Made = std::pair<Scorer, std::string>;

Made make_psnr(const Ingredients& with) {
  const double floor = with.protocol.mse_floor;
  auto text = describe(with.protocol) + "; peak 255";
  if (floor > 0) text += fmt::format("; mean squared error of values in [0,1] plus {}", floor);
  return {[floor](PicturePair& pair) {
            return psnr(pair.compared().first, pair.compared().second, {.mse_floor = floor});
          },
          text};
}

Made make_ssim(const Ingredients& with) {
  auto protocol = with.protocol;
  const bool pyiqa = protocol.pyiqa_ssim;
  protocol.rounded |= pyiqa;
  auto text = describe(protocol) + "; Gaussian window 11x11, sigma 1.5, valid region, mean of the channels";
  if (pyiqa) text += "; structure not below 0 (pyiqa)";
  return {[pyiqa](PicturePair& pair) {
            const auto& [a, b] = pair.compared();
            return pyiqa ? ssim(a.round(), b.round(), {.pyiqa_ssim = true}) : ssim(a, b);
          },
          text};
}

Made make_psnr_b(const Ingredients& with) {
  return {[](PicturePair& pair) { return psnr_b(pair.compared().first, pair.compared().second); },
          describe(with.protocol) + "; PSNR less the blocking of the first picture, blocks of 8x8"};
}

/// A network that compares two images.
template <class Network>
Made of_network(std::shared_ptr<const Network> network) {
  return {[network](PicturePair& pair) { return (*network)(pair.images().first, pair.images().second); },
          network->describe()};
}

template <LpipsNet net, LpipsVersion version>
Made make_lpips(const Ingredients& with) {
  constexpr auto* backbone = net == LpipsNet::alex  ? "alexnet"
                             : net == LpipsNet::vgg ? "vgg16"
                                                    : "squeezenet1_1";
  return of_network(std::make_shared<const Lpips>(net, version, with.source.load(backbone),
                                                  with.source.load(with.weights)));
}

Made make_dists(const Ingredients& with) {
  return of_network(std::make_shared<const Dists>(with.source.load("vgg16"), with.source.load(with.weights)));
}

/// As the authors' script does it.
Made make_dists_resized(const Ingredients& with) {
  const auto dists = std::make_shared<const Dists>(with.source.load("vgg16"), with.source.load(with.weights));
  return {[dists](PicturePair& pair) {
            return (*dists)(dists_resized(pair.images().first), dists_resized(pair.images().second));
          },
          dists->describe() + "; shorter side at most 256, PIL's bilinear"};
}

Made make_topiq(const Ingredients& with) {
  const auto topiq = std::make_shared<const Topiq>(with.source.load(with.weights));
  if (!topiq->needs_reference())
    throw Error(fmt::format("{}: these weights judge without reference (sr-iqa)", with.weights));
  return of_network(topiq);
}

struct Kind {
  std::string_view name;
  std::string_view weights;  ///< its own, in the catalogue; empty: it has none
  bool higher_is_better;
  int digits;
  Made (*make)(const Ingredients&);
};

constexpr std::array kKinds = {
    Kind{"psnr", "", true, 2, make_psnr},
    Kind{"ssim", "", true, 4, make_ssim},
    Kind{"psnr-b", "", true, 2, make_psnr_b},
    Kind{"lpips", "lpips-alex", false, 4, make_lpips<LpipsNet::alex, LpipsVersion::v0_1>},
    Kind{"lpips-vgg", "lpips-vgg", false, 4, make_lpips<LpipsNet::vgg, LpipsVersion::v0_1>},
    Kind{"lpips-squeeze", "lpips-squeeze", false, 4, make_lpips<LpipsNet::squeeze, LpipsVersion::v0_1>},
    Kind{"lpips-v0.0", "lpips-alex-v0.0", false, 4, make_lpips<LpipsNet::alex, LpipsVersion::v0_0>},
    Kind{"lpips-vgg-v0.0", "lpips-vgg-v0.0", false, 4, make_lpips<LpipsNet::vgg, LpipsVersion::v0_0>},
    Kind{"lpips-squeeze-v0.0", "lpips-squeeze-v0.0", false, 4,
         make_lpips<LpipsNet::squeeze, LpipsVersion::v0_0>},
    Kind{"dists", "dists", false, 4, make_dists},
    Kind{"dists-256", "dists", false, 4, make_dists_resized},
    Kind{"topiq-fr", "topiq-fr-kadid", true, 4, make_topiq},
    Kind{"topiq-fr-pipal", "topiq-fr-pipal", true, 4, make_topiq},
};

const Kind& find_kind(const std::string& name) {
  const auto* kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.name == name; });
  if (kind == kKinds.end())
    throw UsageError(fmt::format("-m: '{}' is no metric ({})", name, pair_measure_names()));
  return *kind;
}

Tensor as_colour(const Tensor& values) { return values.expand({3, -1, -1}); }

}  // namespace

PicturePair::PicturePair(Tensor a, Tensor b, const Protocol& protocol)
    : values_(std::move(a), std::move(b)), protocol_(protocol) {
  auto& [first, second] = values_;
  if (first.sizes().slice(1) != second.sizes().slice(1)) {
    throw Error(
        fmt::format("the pictures differ in size: {}x{} and {}x{} (--align crop compares what they share)",
                    first.size(2), first.size(1), second.size(2), second.size(1)));
  }
  if (first.size(0) == second.size(0) || (protocol.luma && protocol.rounded)) return;
  auto& grey = first.size(0) == 1 ? first : second;
  grey = as_colour(grey);
}

const PicturePair::Two& PicturePair::compared() {
  if (!compared_)
    compared_.emplace(compared_part(values_.first, protocol_), compared_part(values_.second, protocol_));
  return *compared_;
}

const PicturePair::Two& PicturePair::images() {
  if (!images_) images_.emplace(image_of(values_.first), image_of(values_.second));
  return *images_;
}

bool is_set_measure(const std::string& name) { return name == "fid"; }

std::string pair_measure_names() {
  std::string names;
  for (const auto& kind : kKinds) names += fmt::format("{}, ", kind.name);
  return names + "fid";
}

std::string describe(const Protocol& protocol) {
  const auto colour = protocol.luma ? fmt::format("Y of YCbCr (BT.601, 16..235, {}; grey as it is)",
                                                  protocol.rounded ? "rounded to integers" : "not rounded")
                                    : std::string("RGB");
  return fmt::format("{}, values 0..255, crop border {}", colour, protocol.crop_border);
}

PairMeasure make_pair_measure(const MeasureRequest& request, const Protocol& protocol,
                              WeightsSource& source) {
  const auto& kind = find_kind(request.name);
  if (kind.weights.empty() && !request.weights.empty())
    throw UsageError(fmt::format("-m: '{}' has no weights", request.name));
  const Ingredients with{request.weights.empty() ? std::string(kind.weights) : request.weights, protocol,
                         source};
  auto [score, text] = made_for(request, [&] { return kind.make(with); });
  return {{request.name, kind.higher_is_better, kind.digits, std::move(text)}, std::move(score)};
}

}  // namespace sr
