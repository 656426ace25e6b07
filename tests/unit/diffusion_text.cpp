// Stable Diffusion's tokenizer and text encoder, where recorded cases don't reach.

#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>

#include "nets/clip_text.h"
#include "nets/fill_module.h"
#include "nets/network.h"
#include "nets/sd_text_encoder.h"
#include "nets/sd_tokenizer.h"
#include "nets/unicode.h"
#include "nets_testing.h"
#include "weights_testing.h"

using namespace sr;
using namespace sr::testing;
using Json = nlohmann::json;
using Tokens = std::vector<int64_t>;

namespace {

std::string words(std::string_view text) { return utf8(basic_words(code_points(text))); }

constexpr int64_t start = 1000, end = 1001, ending = 256, lo = 700, low = 701;

/// Bytes are their own numbers, 256 more where they end a word.
Json tiny_vocabulary() {
  Json tokens{{"<|startoftext|>", start}, {"<|endoftext|>", end}, {"lo", lo}, {"low</w>", low}};
  const auto bytes = byte_spellings();
  for (size_t byte = 0; byte < bytes.size(); ++byte) {
    tokens[bytes[byte]] = byte;
    tokens[bytes[byte] + kWordEnd] = byte + ending;
  }
  return tokens;
}

constexpr const char* tiny_merges = "#version: 0.2\nl o\r\nlo w</w>\n";

SdTokenizer tiny_tokenizer(const Json& vocabulary = tiny_vocabulary(),
                           const std::string& merges = tiny_merges) {
  const ScratchFolder folder;
  folder.write("vocab.json", vocabulary.dump());
  folder.write("merges.txt", merges);
  return SdTokenizer(folder.path());
}

Json tiny_text_json() {
  return {{"vocab_size", 50},           {"max_position_embeddings", 9}, {"hidden_size", 16},
          {"intermediate_size", 24},    {"num_hidden_layers", 2},       {"num_attention_heads", 4},
          {"hidden_act", "quick_gelu"}, {"layer_norm_eps", 1e-4}};
}

StateDict tiny_text_weights() {
  SdTextEncoder encoder(sd_text_config(tiny_text_json()));
  randomise(encoder);
  return tensors_of(encoder);
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("SD2's tokenizer: words as BERT's BasicTokenizer cuts them") {
  CHECK(words("Don't  STOP...\tnow\r\n") == "don ' t stop . . . now");
  CHECK(words("Café e\u0301 Ǻ ﬁ") == "cafe e a ﬁ");
  CHECK(words("\u212B≠\u037E\u0345") == "a = ;");  // after decomposition
  CHECK(words("8k猫x") == "8k 猫 x");
  CHECK(words("한") == "\u1112\u1161\u11AB");
  CHECK(words("ΟΔΟΣ, İI") == "οδος , ii");
  CHECK(words(std::string_view("a\0b\x7F\v\xC2\xAD\xEF\xBF\xBD\xE2\x80\x8B"
                               "c",
                               14)) == "abc");
  CHECK(words("a\xC2\xA0\xE2\x80\xA8"
              "b") == "a b");
  CHECK(words("a+b=$1 x×y€2") == "a + b = $ 1 x×y€2");
  CHECK(words(" \u0301 ").empty());
}

TEST_CASE("SD2's tokenizer: marks and \"!\" are tokens wherever they stand, long texts are cut") {
  const auto tokenizer = tiny_tokenizer();
  CHECK((tokenizer.encode("Low lob!<|endoftext|>x<|startoftext|>") ==
         Tokens{low, lo, 'b' + ending, '!', end, 'x' + ending, start}));
  CHECK((tokenizer.encode("<|EndOfText|>").front() == '<' + ending));
  CHECK(tokenizer.encode("\u00A0").empty());
  CHECK(contains(error_of([&] { tokenizer.encode("a!caf\xe9"); }), "UTF-8"));

  std::string seventy_five;
  for (int i = 0; i < 75; ++i) seventy_five += "7";
  const Tensor rows = tokenizer.tokenize({"b", seventy_five, seventy_five + "8"});
  CHECK((rows.sizes() == at::IntArrayRef{3, 77}));
  CHECK(rows[0].slice(0, 0, 3).equal(torch::tensor({start, 'b' + ending, end})));
  CHECK((rows[0].slice(0, 3) == '!').all().item<bool>());
  CHECK(rows[1].equal(rows[2]));
  CHECK(rows[1][75].item<int64_t>() == '7' + ending);
  CHECK(rows[1][76].item<int64_t>() == end);
}

TEST_CASE("SD2's tokenizer: bad files are named") {
  const auto of_vocabulary = [](const Json& json) { return error_of([&] { tiny_tokenizer(json); }); };
  const auto with = [](const std::string& token, const Json& number) {
    Json vocabulary = tiny_vocabulary();
    vocabulary[token] = number;
    return vocabulary;
  };
  const auto without = [](const std::string& token) {
    Json vocabulary = tiny_vocabulary();
    vocabulary.erase(token);
    return vocabulary;
  };
  CHECK(of_vocabulary(Json::array()).ends_with("vocab.json: is no JSON object"));
  CHECK(of_vocabulary(with("lo", -1)).ends_with("vocab.json: 'lo' has no token number"));
  CHECK(of_vocabulary(with("lo", 1LL << 40)).ends_with("vocab.json: 'lo' has no token number"));
  CHECK(of_vocabulary(without("Ġ</w>")).ends_with("vocab.json: lacks the token 'Ġ</w>'"));
  CHECK(of_vocabulary(without("<|endoftext|>")).ends_with("vocab.json: lacks the token '<|endoftext|>'"));
  CHECK(of_vocabulary(with("more", 5))
            .ends_with("merges.txt: 2 merge rules in place of the 3 that vocab.json needs"));
  CHECK(error_of([] {
          tiny_tokenizer(tiny_vocabulary(), "head\nl o\nlo\n");
        }).ends_with("merges.txt: merge rule 2 joins or makes what is no token"));
  const ScratchFolder folder;
  CHECK(contains(error_of([&] { SdTokenizer{folder.path()}; }), "vocab.json: No such file"));
  folder.write("vocab.json", tiny_vocabulary().dump());
  CHECK(contains(error_of([&] { SdTokenizer{folder.path()}; }), "merges.txt: No such file"));
}

TEST_CASE("SD's text encoder: a token sees those before it, padding is a token") {
  const at::NoGradGuard no_grad;
  StateDict weights = tiny_text_weights();
  weights["text_model.embeddings.position_ids"] = at::arange(9).unsqueeze(0);
  const auto encoder = make_sd_text_encoder(sd_text_config(tiny_text_json()), weights);
  const Tensor tokens = torch::tensor({48, 7, 9, 49, 0, 0, 0, 0, 0}).unsqueeze(0);
  Tensor changed = tokens.clone();
  changed[0][4] = 3;
  const Tensor states = encoder->forward(tokens), others = encoder->forward(changed);
  CHECK((states.sizes() == at::IntArrayRef{1, 9, 16}));
  CHECK(distance(states.slice(1, 0, 4), others.slice(1, 0, 4)) < 1e-6);
  for (int64_t i = 4; i < 9; ++i) CHECK(distance(states.select(1, i), others.select(1, i)) > 1e-3);
  CHECK(distance(encoder->forward(tokens.slice(1, 0, 5)), states.slice(1, 0, 5)) < 1e-6);
  CHECK(error_of([&] {
          encoder->forward(at::zeros({1, 10}, at::kLong));
        }) == "the text encoder takes up to 9 tokens, not 10");
  CHECK(error_of([&] {
          encoder->forward(at::full({1, 2}, 50, at::kLong));
        }) == "the text encoder has 50 tokens, so none is number 50");
}

TEST_CASE("SD's text encoder: bfloat16 weights answer in float32, about the same") {
  const c10::InferenceMode inference;
  const auto encoder = make_sd_text_encoder(sd_text_config(tiny_text_json()), tiny_text_weights());
  const Tensor tokens = at::arange(9).repeat({2, 1});
  const Tensor exact = encoder->forward(tokens);
  set_precision(*encoder, at::kBFloat16);
  const Tensor coarse = encoder->forward(tokens);
  CHECK((coarse.scalar_type() == at::kFloat));
  CHECK(distance(coarse, exact) < 0.05);
  CHECK(distance(coarse, exact) > 0);
}

TEST_CASE("SD's text encoder learns") {
  SdTextEncoder encoder(sd_text_config(tiny_text_json()));
  randomise(encoder);
  encoder.forward(at::arange(9).unsqueeze(0)).square().sum().backward();
  for (const auto& parameter : encoder.named_parameters()) {
    CAPTURE(parameter.key());
    // a key's bias adds the same to all scores of a token
    if (!parameter.key().ends_with("k_proj.bias"))
      CHECK(parameter.value().grad().abs().max().item<double>() > 1e-6);
  }
}

TEST_CASE("SD's text encoder: its configuration is read, and what does not fit is named") {
  const SdTextConfig config = sd_text_config(tiny_text_json());
  CHECK((config == SdTextConfig{.vocabulary = 50,
                                .positions = 9,
                                .features = 16,
                                .mlp_features = 24,
                                .layers = 2,
                                .heads = 4,
                                .gelu = Gelu::quick,
                                .norm_epsilon = 1e-4}));
  const auto complaint_of = [](const Json& json) { return error_of([&] { sd_text_config(json); }); };
  const auto complaint = [&](const char* key, const Json& value) {
    Json json = tiny_text_json();
    json[key] = value;
    return complaint_of(json);
  };
  Json lacking = tiny_text_json();
  lacking.erase("hidden_size");
  CHECK(complaint_of(lacking) == "hidden_size is missing");
  CHECK(complaint("num_hidden_layers", -2) == "num_hidden_layers = -2, which is not from 1 to 2147483647");
  CHECK(complaint("vocab_size", "many") == "vocab_size = \"many\", which cannot be read");
  CHECK(complaint("layer_norm_eps", 0) == "layer_norm_eps = 0, which is not from 1e-15 to 1");
  CHECK(complaint("hidden_act", "relu") == "hidden_act = \"relu\", which is none of gelu, quick_gelu");
  CHECK(complaint("num_attention_heads", 3) ==
        "num_attention_heads = 3, which does not divide hidden_size = 16");

  StateDict weights = tiny_text_weights();
  weights.erase("text_model.final_layer_norm.bias");
  CHECK(error_of([&] { make_sd_text_encoder(config, weights); }) ==
        "the weights do not fit the text encoder: text_model.final_layer_norm.bias is missing");
}
