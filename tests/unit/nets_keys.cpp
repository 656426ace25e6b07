// Official key lists: the family and every size must be read off keys and shapes alone.

#include "nets_keys.h"

#include "nets_testing.h"

using namespace sr;
using namespace sr::testing;

namespace {

RRDBNetConfig rrdbnet(int64_t scale, int64_t blocks) {
  auto config = RRDBNetConfig::basicsr(scale);
  config.blocks = blocks;
  return config;
}

SwinIRConfig swinir(int64_t image, int64_t scale, SwinIRConfig::Upsampler upsampler, size_t groups = 6) {
  SwinIRConfig config;
  config.image_size = {image, image};
  config.embedding = 180;
  config.depths.assign(groups, 6);
  config.heads.assign(groups, 6);
  config.window = 8;
  config.mlp_ratio = 2;
  config.scale = scale;
  config.upsampler = upsampler;
  return config;
}

/// Everything fits: no key is missing, unexpected or misshapen.
void check_load(const std::string& name, const std::string& family, int scale, int64_t parameters) {
  const auto network = make_network(key_list(name));
  CHECK(network->shape().family == family);
  CHECK(network->shape().scale == scale);
  CHECK(count_parameters(*network) == parameters);
  CHECK_FALSE(network->is_training());
}

}  // namespace

TEST_CASE("RRDBNet: four key layouts, three scales") {
  const auto detect = [](const char* name) { return detect_rrdbnet(rrdbnet_keys(key_list(name))).value(); };
  const auto x4 = rrdbnet(4, 23);
  CHECK(detect("rrdbnet_x4plus") == x4);
  CHECK(detect("rrdbnet_trunk_x4") == x4);
  CHECK(detect("rrdbnet_oldnames_x4") == x4);
  CHECK(detect("rrdbnet_kair_x4") == x4);
  CHECK(detect("rrdbnet_x4plus_anime_6B") == rrdbnet(4, 6));
  CHECK(detect("rrdbnet_x2plus") == rrdbnet(2, 23));
  auto bsrgan_x2 = x4;
  bsrgan_x2.enlargements = {2};
  CHECK(detect("rrdbnet_trunk_x2") == bsrgan_x2);
}

TEST_CASE("RRDBNet: every layout is renamed to BasicSR's names") {
  const auto official = names(key_list("rrdbnet_x4plus"));
  for (const char* name : {"rrdbnet_trunk_x4", "rrdbnet_oldnames_x4", "rrdbnet_kair_x4", "rrdbnet_x4plus"}) {
    CAPTURE(name);
    CHECK(names(rrdbnet_keys(key_list(name))) == official);
  }
}

TEST_CASE("SRVGGNetCompact") {
  SRVGGConfig config;
  CHECK(detect_srvgg(key_list("realesr-animevideov3")).value() == config);
  config.convs = 32;
  CHECK(detect_srvgg(key_list("realesr-general-x4v3")).value() == config);
}

TEST_CASE("SwinIR") {
  using Upsampler = SwinIRConfig::Upsampler;
  const auto detect = [](const std::string& name) {
    return detect_swinir(key_list("swinir_" + name)).value();
  };
  CHECK(detect("classical_m_x2") == swinir(64, 2, Upsampler::shuffle));
  CHECK(detect("classical_m_x3") == swinir(64, 3, Upsampler::shuffle));
  CHECK(detect("classical_m_x4") == swinir(64, 4, Upsampler::shuffle));
  CHECK(detect("classical_m_x4_s48") == swinir(48, 4, Upsampler::shuffle));
  CHECK(detect("real_m_x2") == swinir(64, 2, Upsampler::nearest_conv));
  CHECK(detect("real_m_x4") == swinir(64, 4, Upsampler::nearest_conv));
  auto light = swinir(64, 4, Upsampler::shuffle_direct, 4);
  light.embedding = 60;
  CHECK(detect("lightweight_x4") == light);
  auto large = swinir(64, 4, Upsampler::nearest_conv, 9);
  large.embedding = 240;
  large.heads.assign(9, 8);
  large.three_convs = true;
  CHECK(detect("real_l_x4") == large);
}

TEST_CASE("EDSR, MSRResNet, NAFNet") {
  EDSRConfig medium;
  CHECK(detect_edsr(key_list("edsr_m_x4")).value() == medium);
  EDSRConfig large;
  large.features = 256;
  large.blocks = 32;
  large.residual_scale = 0.1;
  CHECK(detect_edsr(key_list("edsr_l_x4")).value() == large);
  CHECK(detect_msrresnet(key_list("msrresnet_x4")).value() == MSRResNetConfig{});
  NAFNetConfig gopro;
  gopro.width = 64;
  gopro.encoder_blocks = {1, 1, 1, 28};
  gopro.decoder_blocks = {1, 1, 1, 1};
  gopro.local = NAFNetConfig::Local{};
  CHECK(detect_nafnet(key_list("nafnet_width64_gopro")).value() == gopro);
}

TEST_CASE("official key lists load without a remainder") {
  check_load("rrdbnet_kair_x4", "RRDBNet", 4, 16697987);
  check_load("rrdbnet_trunk_x2", "RRDBNet", 2, 16661059);
  check_load("rrdbnet_x2plus", "RRDBNet", 2, 16703171);
  check_load("realesr-general-x4v3", "SRVGGNetCompact", 4, 1213296);
  check_load("edsr_m_x4", "EDSR", 4, 1517571);
  check_load("msrresnet_x4", "MSRResNet", 4, 1517571);
  check_load("nafnet_width64_gopro", "NAFNet", 1, 67888835);
  check_load("swinir_classical_m_x3", "SwinIR", 3, 11937127);
  check_load("swinir_lightweight_x4", "SwinIR", 4, 929628);
  check_load("swinir_real_l_x4", "SwinIR", 4, 28013059);
}

TEST_CASE("what does not fit is listed by name") {
  StateDict weights = key_list("realesr-animevideov3");
  weights.erase("body.2.bias");
  weights["body.4.weight"] = torch::zeros({64, 32, 3, 3});
  weights["extra"] = torch::zeros({1});
  const std::string message =
      "the weights do not fit: missing body.2.bias; unexpected extra; misshapen body.4.weight (64x32x3x3, "
      "not 64x64x3x3)";
  CHECK_THROWS_WITH_AS(make_network(weights), message.c_str(), Error);
}

TEST_CASE("empty tensors, and numbers that others don't lead up to, are errors") {
  for (const char* name :
       {"edsr_m_x4", "msrresnet_x4", "realesr-general-x4v3", "rrdbnet_x4plus", "swinir_real_m_x2"}) {
    const StateDict weights = key_list(name);
    CAPTURE(name);
    for (const char* key : {"conv_first.weight", "body.0.weight"}) {
      if (!weights.count(key)) continue;
      StateDict empty = weights;
      empty[key] = torch::zeros({0, 3, 3, 3});
      CHECK_THROWS_WITH_AS(make_network(empty), fmt::format("'{}' is empty", key).c_str(), Error);
    }
    for (const char* number : {"1000000000000", "9223372036854775807"}) {
      StateDict far = weights;
      far[fmt::format("body.{}.x", number)] = torch::zeros({1});
      CHECK_THROWS_AS(make_network(far), Error);
    }
  }
}

TEST_CASE("unknown keys are an error") {
  CHECK_THROWS_AS(make_network({}), Error);
  CHECK_THROWS_AS(make_network({{"fc.weight", torch::zeros({2, 2})}}), Error);
  CHECK_THROWS_AS(make_network({{"body.0.rdb1.conv1.weight", torch::zeros({2})}}), Error);
  CHECK_THROWS_AS(make_network({{"model.1.sub.0.RDB1.conv1.0.weight", torch::zeros({2, 2, 3, 3})}}), Error);
}
