// CLIP's text cleaning and tokenizer on what the goldens leave out, and SFD's layers, for which there are
// none.

#include <string>
#include <torch/nn/module.h>
#include <vector>

#include "clip_testing.h"
#include "nets/clip.h"
#include "nets/clip_text.h"
#include "nets/clip_tokenizer.h"
#include "nets/feat_d.h"
#include "nets/fill_module.h"
#undef CHECK  // LibTorch's module headers bring glog's; doctest's must come after it
#include "weights_testing.h"

namespace sr::testing {
namespace {

using Words = std::vector<std::string>;

Words words_of(std::string_view text) { return prompt_words(cleaned_prompt(text)); }

double largest(const Tensor& values) { return values.abs().max().item<double>(); }

FeatDConfig small_feat_d() { return {.channels = {32, 64, 96}, .width = 32}; }

std::array<Tensor, 3> small_levels(int64_t images) {
  at::manual_seed(3);
  return {at::randn({images, 32, 13, 18}), at::randn({images, 64, 6, 9}), at::randn({images, 96, 3, 4})};
}

}  // namespace

TEST_CASE("prompts are cleaned and cut as Python does it") {
  CHECK(words_of("&AMP&ampx &notit; &#x41;&#66") == Words{"&&", "x", "¬", "it", ";", "ab"});
  CHECK(words_of("&#128;&#0;&#x110000;") == Words{"€\uFFFD\uFFFD"});
  CHECK(words_of("&amp;lt;&ThickSpace;&NotEqualTilde;") == Words{"<", "≂̸"});
  CHECK(words_of("ΟΔΟΣ Σ ΑΣΑ") == Words{"οδος", "σ", "ασα"});
  CHECK(words_of("ⅫⒶ") == Words{"ⅻ", "ⓐ"});
  CHECK(words_of("\x1c A\x0b\xc2\x85 B \x1f") == Words{"a", "b"});
  CHECK(words_of("'RE'x<|EndOfText|>''s") == Words{"'re", "'", "x", "<|endoftext|>", "''", "s"});
  CHECK(contains(error_of([] { cleaned_prompt("caf\xe9"); }), "UTF-8"));
}

TEST_CASE("the tokenizer refuses long prompts and files that are no vocabulary") {
  const ScratchFolder folder;
  const ClipTokenizer tokenizer(folder.write("bpe.txt", made_up_vocabulary()));
  const Tensor row = tokenizer.tokenize({"ab"})[0];
  CHECK(row[0].item<int64_t>() == ClipTokenizer::start);
  CHECK(row[2].item<int64_t>() == 256 + 'b' - '!');  // no rule joins what ends a word
  CHECK(row[3].item<int64_t>() == ClipTokenizer::end);
  CHECK(largest(row.slice(0, 4)) == 0);
  const std::string long_prompt(80, '1');
  CHECK(contains(error_of([&] { tokenizer.tokenize({long_prompt}); }), "makes 82 tokens"));
  const Tensor cut = tokenizer.tokenize({long_prompt}, ClipTokenizer::TooLong::cut)[0];
  CHECK(cut[76].item<int64_t>() == ClipTokenizer::end);

  const auto opened = [&](const std::string& bytes) {
    return error_of([&] { ClipTokenizer(folder.write("bad.txt", bytes)); });
  };
  CHECK(contains(opened("head\na b\n"), "1 merge rules"));
  CHECK(contains(opened("head\nnot there\n" + made_up_vocabulary()), "merge rule 1"));
  CHECK(contains(error_of([&] { ClipTokenizer(folder.path() / "none"); }), "No such file"));
}

TEST_CASE("CLIP comes out of a half-precision file with all that goes with one") {
  at::manual_seed(5);
  const ClipConfig config{
      .visual =
          ClipResNetConfig{
              .layers = {1, 1, 1, 1}, .width = 8, .output_dim = 16, .heads = 4, .input_resolution = 64},
      .text = {
          .embed_dim = 16, .context_length = 20, .vocab_size = 50, .width = 64, .heads = 1, .layers = 2}};
  StateDict file;
  Clip blank(config);
  for (const auto& entry : blank.named_parameters())
    file["clip_model." + entry.key()] = at::rand_like(entry.value()).to(at::kHalf);
  for (const auto& entry : blank.named_buffers())
    file["clip_model." + entry.key()] = at::rand_like(entry.value(), at::kFloat);
  for (const char* number :
       {"input_resolution", "context_length", "vocab_size", "visual.bn1.num_batches_tracked"})
    file["clip_model." + std::string(number)] = at::scalar_tensor(1, at::kLong);
  const auto clip = make_clip(file);
  CHECK((clip_config(clip_weights(file)) == config));
  CHECK((clip->text_projection.scalar_type() == at::kFloat));
  CHECK(clip->text_projection.equal(file.at("clip_model.text_projection").to(at::kFloat)));

  // What stands behind the end token does not matter, so learnt prompts may stop there.
  const Tensor tokens = torch::tensor({48, 7, 9, 49, 3, 0}).view({1, 6});
  const Tensor embedded = clip->embed(tokens.slice(1, 0, 4));
  const Tensor expected = clip->encode(tokens);
  CHECK(largest(clip->encode_embedded(embedded) - expected) < 1e-5 * largest(expected));
  PromptPairs prompts({.pairs = 1, .tokens = 2, .width = 64});
  prompts.positive.data().copy_(embedded.slice(1, 1, 3));
  CHECK(largest(prompts.texts(*clip).narrow(0, 0, 1) - expected) < 1e-5 * largest(expected));

  file.erase("clip_model.visual.layer3.0.bn2.weight");
  CHECK(contains(error_of([&] { make_clip(file); }), "visual.layer3.0.bn2.weight is missing"));
}

TEST_CASE("spectral normalisation: training finds the largest singular value, evaluation leaves it") {
  SpectralConv2d conv(8, 12);
  conv.draw();
  const Tensor input = at::randn({1, 8, 5, 5});
  const auto answer = [&] {
    const Tensor sigma = at::dot(conv.weight_u, at::mv(conv.weight_orig.flatten(1), conv.weight_v));
    return at::conv2d(input, conv.weight_orig / sigma, conv.bias, {1, 1}, {1, 1});
  };
  conv.eval();
  const Tensor before = conv.weight_u.clone();
  CHECK(largest(conv.forward(input) - answer()) < 1e-5 * largest(answer()));
  CHECK(conv.weight_u.equal(before));

  conv.train();
  for (int i = 0; i < 200; ++i) conv.forward(input);
  const Tensor matrix = conv.weight_orig.detach().flatten(1);
  const double value = std::get<1>(at::svd(matrix)).max().item<double>();
  CHECK(at::dot(conv.weight_u, at::mv(matrix, conv.weight_v)).item<double>() ==
        doctest::Approx(value).epsilon(1e-5));
  // Two passes before one backward, as a discriminator has them: the vectors move in between.
  const Tensor first = conv.forward(input);
  (first + conv.forward(2 * input)).sum().backward();
  CHECK(conv.weight_orig.grad().isfinite().all().item<bool>());
}

TEST_CASE("Feat-D: odd sizes, gradients everywhere, and the same once folded") {
  FeatD feat_d(small_feat_d());
  feat_d.draw();
  feat_d.train();
  const auto levels = small_levels(2);
  const Tensor map = feat_d.forward(levels);
  CHECK(map.sizes() == at::IntArrayRef{2, 1, 26, 36});
  map.sigmoid().mean().backward();
  for (const auto& parameter : feat_d.named_parameters()) {
    CAPTURE(parameter.key());
    CHECK(largest(parameter.value().grad()) > 0);
  }
  feat_d.eval();
  const at::NoGradGuard no_grad;
  const Tensor expected = feat_d.forward(levels);
  feat_d.fold();
  CHECK(largest(feat_d.forward(levels) - expected) < 1e-4 * largest(expected));
}

TEST_CASE("SFD's checkpoints tell their sizes, and what is wrong with them") {
  SfdDiscriminators written(small_feat_d(), {.pairs = 2, .tokens = 5, .width = 16});
  written.feat_d->draw();
  written.tg_d->draw();
  StateDict file;
  for (const auto& entry : written.named_parameters()) file[entry.key()] = entry.value().detach();
  for (const auto& entry : written.named_buffers()) file[entry.key()] = entry.value();
  const auto read = make_sfd(file);
  CHECK((read->feat_d->config() == small_feat_d()));
  CHECK(read->tg_d->negative.equal(written.tg_d->negative));
  file.erase("feat_d.head.2.weight_u");
  CHECK(contains(error_of([&] { make_sfd(file); }), "feat_d.head.2.weight_u is missing"));
  CHECK(contains(error_of([] { make_sfd({}); }), "feat_d.head.0.weight_orig"));
}

}  // namespace sr::testing
