// Whole pictures through real checkpoints, as Real-ESRGAN's own program made them (cases.json).

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "case.h"
#include "image/decode.h"
#include "image/samples.h"
#include "infer/upscaled_rows.h"
#include "weights/checkpoint.h"

namespace golden {
namespace {

/// float32 [C,H,W] of whole numbers 0..255.
Tensor read_bytes(const fs::path& path) { return (sr::decode(sr::open_picture(path)) * 255).round(); }

StateDict load_net(const fs::path& folder, const std::string& net, double denoise,
                   const std::string& extension) {
  const auto weights = sr::load_checkpoint(folder / (net + extension));
  if (denoise == 1) return weights;
  const auto twin = "realesr-general-wdn-x4v3" + extension;
  return sr::interpolate(weights, sr::load_checkpoint(folder / twin), denoise);
}

Tensor enlarge(const StateDict& weights, const fs::path& input, const nlohmann::json& info,
               sr::Precision precision) {
  sr::Log log("golden");
  sr::Engine engine(weights, {at::kCPU, precision, 0, false}, log);
  const int tile = info.at("tile"), pad = tile > 0 ? info.at("tile_pad").get<int>() : -1;
  sr::RowWindow rows(sr::upscale_rows(sr::decode_rows(sr::open_picture(input)), engine, {tile, pad, false}));
  const auto result = rows.rows(0, rows.source().height());
  auto bytes = torch::empty(result.sizes(), at::kByte);
  sr::quantise(result, bytes);
  return bytes.to(at::kFloat);
}

double psnr_of(const Tensor& a, const Tensor& b) {
  return 10 * std::log10(255.0 * 255.0 / (a - b).to(at::kDouble).square().mean().item<double>());
}

void check_picture(const fs::path& folder, const fs::path& nets, const nlohmann::json& info, Report& report) {
  constexpr double kGreyLevel = 1, kLeastDecibels = 45;
  const std::string net = info.at("net"), name = info.at("output");
  const auto expected = read_bytes(folder / name);
  const auto input = folder / info.at("input").get<std::string>();
  for (const std::string extension : {".safetensors", ".pth"}) {
    if (!fs::exists(nets / (net + extension))) continue;
    const auto weights = load_net(nets, net, info.at("denoise"), extension);
    const auto exact = enlarge(weights, input, info, sr::Precision::fp32);
    report.compare(name + extension, exact, expected, kGreyLevel);
    if (extension == ".pth") continue;
    const double decibels = psnr_of(enlarge(weights, input, info, sr::Precision::bf16), exact);
    report.require(fmt::format("{}: bf16 within {:.1f} dB of fp32", name, decibels),
                   decibels >= kLeastDecibels);
  }
}

void check_pictures(const fs::path& path, const Options& options, Report& report) {
  const auto nets = options.data_for(path) / "realesrgan";
  if (!fs::exists(nets)) return report.skip(fmt::format("no checkpoints in {}", nets.string()));
  const auto cases = nlohmann::json::parse(sr::read_file(path));
  for (const auto& info : cases.at("cases")) check_picture(path.parent_path(), nets, info, report);
}

}  // namespace

void add_picture_files(FileHandlers& handlers) { handlers["cases.json"] = check_pictures; }

}  // namespace golden
