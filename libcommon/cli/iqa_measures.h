#pragma once
// The measures of sr-iqa by name: of a picture alone.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/measures.h"
#include "cli/weights_source.h"
#include "quality/clipiqa.h"
#include "quality/niqe.h"

namespace sr {

/// What papers do differently where they name the same measure.
struct IqaProtocol {
  NiqeVariant niqe = NiqeVariant::basicsr;
  std::vector<PromptPair> prompts = clipiqa_paper_prompts();  ///< of clipiqa
  std::string maniqa = "maniqa-koniq";                        ///< the weights of maniqa
};

/// "original", "sed", "sfd": as the measures' authors have them (NIQE as BasicSR); "seesr": as pyiqa has
/// them, which SeeSR measured by. Throws UsageError otherwise.
IqaProtocol iqa_protocol(const std::string& name);

/// A picture in the forms that measures ask for; each is made once.
class JudgedPicture {
 public:
  /// Values as load_values has them.
  explicit JudgedPicture(Tensor values) : values_(std::move(values)) {}
  const Tensor& image();                                ///< float32 [1,3,H,W], RGB in [0,1]
  Tensor plain() const;                                 ///< the same of 1 or 3 channels, as the file has
  const ClipImage& clip(const ClipFeatures& features);  ///< of the one CLIP that all measures share

 private:
  Tensor values_;
  Tensor image_;
  std::optional<ClipImage> clip_;
};

struct IqaMeasure {
  Measure about;
  std::function<double(JudgedPicture&)> score;  ///< safe from several threads
};

/// Every name, for help.
std::string iqa_measure_names();

/// Makes measures, which share what they can: CLIP is there once.
class IqaMeasureMaker {
 public:
  IqaMeasureMaker(IqaProtocol protocol, WeightsSource& source);
  ~IqaMeasureMaker();
  /// The measure with its weights read. Throws UsageError where there is no such measure, or something is
  /// missing.
  IqaMeasure make(const MeasureRequest& request);

  struct ClipParts;
  const ClipParts& clip();
  const IqaProtocol& protocol() const { return protocol_; }
  WeightsSource& source() { return source_; }

 private:
  IqaProtocol protocol_;
  WeightsSource& source_;
  std::unique_ptr<ClipParts> clip_;
};

}  // namespace sr
