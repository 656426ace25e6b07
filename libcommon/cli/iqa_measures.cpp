#include "cli/iqa_measures.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "cli/measured_picture.h"
#include "core/error.h"
#include "quality/ilniqe.h"
#include "quality/maniqa.h"
#include "quality/musiq.h"
#include "quality/sfd_iqa.h"
#include "quality/topiq.h"

namespace sr {

struct IqaMeasureMaker::ClipParts {
  std::shared_ptr<Clip> towers;
  ClipTokenizer tokenizer;
  std::shared_ptr<const ClipFeatures> features;
};

namespace {

using Maker = IqaMeasureMaker;
using Scorer = std::function<double(JudgedPicture&)>;
/// The score, and the protocol in one line.
using Made = std::pair<Scorer, std::string>;

/// A measure that takes the image as networks do.
template <class Judge>
Made of_image(std::shared_ptr<const Judge> judge) {
  return {[judge](JudgedPicture& picture) { return (*judge)(picture.image()); }, judge->describe()};
}

Made make_niqe(Maker& maker, const std::string& weights, NiqeVariant variant) {
  const auto niqe = std::make_shared<const Niqe>(maker.source().load(weights), NiqeOptions{variant, 0});
  return {[niqe](JudgedPicture& picture) { return (*niqe)(picture.plain()); }, niqe->describe()};
}

Made make_protocol_niqe(Maker& maker, const std::string& weights) {
  return make_niqe(maker, weights, maker.protocol().niqe);
}

template <NiqeVariant variant>
Made make_niqe_as(Maker& maker, const std::string& weights) {
  return make_niqe(maker, weights, variant);
}

Made make_ilniqe(Maker& maker, const std::string& weights) {
  const auto ilniqe = std::make_shared<const IlNiqe>(ilniqe_parameters(maker.source().load(weights)));
  return {[ilniqe](JudgedPicture& picture) { return (*ilniqe)(picture.plain()); }, ilniqe->describe()};
}

Made make_clipiqa_of(Maker& maker, const std::string& weights, std::vector<PromptPair> prompts) {
  if (!weights.empty()) throw UsageError("-m: clipiqa has no weights but CLIP's");
  const auto& clip = maker.clip();
  const auto judge =
      std::make_shared<const ClipIqa>(clip.features, *clip.towers, clip.tokenizer, std::move(prompts));
  return {
      [judge, features = clip.features](JudgedPicture& picture) { return (*judge)(picture.clip(*features)); },
      judge->describe()};
}

Made make_clipiqa(Maker& maker, const std::string& weights) {
  return make_clipiqa_of(maker, weights, maker.protocol().prompts);
}

Made make_clipiqa_five(Maker& maker, const std::string& weights) {
  return make_clipiqa_of(maker, weights, clipiqa_five_prompts());
}

template <SfdIqaPart part>
Made make_sfd_iqa(Maker& maker, const std::string& weights) {
  if (weights.empty())
    throw UsageError("-m: sfd-iqa=CHECKPOINT must name what `sr-train` wrote for SFD: none is published");
  const auto& clip = maker.clip();
  const auto judge = std::make_shared<const SfdIqa>(clip.features, *clip.towers, clip.tokenizer,
                                                    maker.source().load(weights), part);
  return {
      [judge, features = clip.features](JudgedPicture& picture) { return (*judge)(picture.clip(*features)); },
      judge->describe()};
}

Made make_musiq(Maker& maker, const std::string& weights) {
  return of_image(std::make_shared<const Musiq>(maker.source().load(weights)));
}

Made make_maniqa(Maker& maker, const std::string& weights) {
  const auto name = weights.empty() ? maker.protocol().maniqa : weights;
  const double scale = maniqa_scale(maker.source().find(name).filename().string());
  return of_image(std::make_shared<const Maniqa>(maker.source().load(name), scale));
}

Made make_topiq(Maker& maker, const std::string& weights) {
  const auto topiq = std::make_shared<const Topiq>(maker.source().load(weights));
  if (topiq->needs_reference())
    throw Error(fmt::format("{}: these weights compare with a reference (sr-metrics)", weights));
  return of_image(topiq);
}

struct Kind {
  std::string_view name;
  std::string_view weights;  ///< its own, in the catalogue; empty: those of the protocol, CLIP's, or none
  bool higher_is_better;
  int digits;
  Made (*make)(Maker&, const std::string& weights);
};

constexpr std::array kKinds = {
    Kind{"niqe", "niqe", false, 4, make_protocol_niqe},
    Kind{"niqe-basicsr", "niqe", false, 4, make_niqe_as<NiqeVariant::basicsr>},
    Kind{"niqe-gray", "niqe", false, 4, make_niqe_as<NiqeVariant::basicsr_gray>},
    Kind{"niqe-pyiqa", "niqe", false, 4, make_niqe_as<NiqeVariant::pyiqa>},
    Kind{"niqe-pyiqa-ycbcr", "niqe", false, 4, make_niqe_as<NiqeVariant::pyiqa_ycbcr>},
    Kind{"ilniqe", "ilniqe", false, 2, make_ilniqe},
    Kind{"clipiqa", "", true, 4, make_clipiqa},
    Kind{"clipiqa-five", "", true, 4, make_clipiqa_five},
    Kind{"sfd-iqa", "", true, 4, make_sfd_iqa<SfdIqaPart::all>},
    Kind{"sfd-iqa-feat-d", "", true, 4, make_sfd_iqa<SfdIqaPart::feat_d>},
    Kind{"sfd-iqa-tg-d", "", true, 4, make_sfd_iqa<SfdIqaPart::tg_d>},
    Kind{"musiq", "musiq-koniq", true, 2, make_musiq},
    Kind{"musiq-spaq", "musiq-spaq", true, 2, make_musiq},
    Kind{"musiq-paq2piq", "musiq-paq2piq", true, 2, make_musiq},
    Kind{"musiq-ava", "musiq-ava", true, 3, make_musiq},
    Kind{"maniqa", "", true, 4, make_maniqa},
    Kind{"maniqa-koniq", "maniqa-koniq", true, 4, make_maniqa},
    Kind{"maniqa-kadid", "maniqa-kadid", true, 4, make_maniqa},
    Kind{"maniqa-pipal", "maniqa-pipal", true, 4, make_maniqa},
    Kind{"topiq", "topiq-nr-koniq", true, 4, make_topiq},
    Kind{"topiq-flive", "topiq-nr-flive", true, 4, make_topiq},
    Kind{"topiq-spaq", "topiq-nr-spaq", true, 4, make_topiq},
    Kind{"topiq-iaa", "topiq-iaa-ava", true, 3, make_topiq},
};

const Kind& find_kind(const std::string& name) {
  const auto* kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.name == name; });
  if (kind == kKinds.end())
    throw UsageError(fmt::format("-m: '{}' is no measure ({})", name, iqa_measure_names()));
  return *kind;
}

}  // namespace

IqaProtocol iqa_protocol(const std::string& name) {
  if (name == "original" || name == "sed" || name == "sfd") return {};
  if (name == "seesr") return {NiqeVariant::pyiqa, clipiqa_five_prompts(), "maniqa-pipal"};
  throw UsageError(fmt::format("--protocol: '{}' is none of original, sed, sfd, seesr", name));
}

const Tensor& JudgedPicture::image() {
  if (!image_.defined()) image_ = image_of(values_);
  return image_;
}

Tensor JudgedPicture::plain() const { return values_.to(at::kFloat).div(255).unsqueeze(0); }

const ClipImage& JudgedPicture::clip(const ClipFeatures& features) {
  if (!clip_) clip_ = features(image());
  return *clip_;
}

std::string iqa_measure_names() {
  std::string names;
  for (const auto& kind : kKinds) names += fmt::format("{}{}", names.empty() ? "" : ", ", kind.name);
  return names;
}

IqaMeasureMaker::IqaMeasureMaker(IqaProtocol protocol, WeightsSource& source)
    : protocol_(std::move(protocol)), source_(source) {}

IqaMeasureMaker::~IqaMeasureMaker() = default;

const IqaMeasureMaker::ClipParts& IqaMeasureMaker::clip() {
  if (!clip_) {
    const ClipTokenizer tokenizer(source_.find("clip-vocabulary"));
    const auto towers = make_clip(source_.load("CLIP-RN50"));
    const auto features = std::make_shared<const ClipFeatures>(*towers);
    clip_ = std::make_unique<ClipParts>(ClipParts{towers, tokenizer, features});
  }
  return *clip_;
}

IqaMeasure IqaMeasureMaker::make(const MeasureRequest& request) {
  const auto& kind = find_kind(request.name);
  const auto weights = request.weights.empty() ? std::string(kind.weights) : request.weights;
  auto [score, text] = made_for(request, [&] { return kind.make(*this, weights); });
  return {{request.name, kind.higher_is_better, kind.digits, std::move(text)}, std::move(score)};
}

}  // namespace sr
