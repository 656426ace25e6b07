// The text side of Stable Diffusion 2: tokenizer and text encoder. Tolerances are each case's own. See
// ../shared/golden/seesr/README.md.

#include <algorithm>
#include <fmt/format.h>
#include <fstream>

#include "case.h"
#include "nets/clip_tokenizer.h"
#include "nets/sd_text_encoder.h"
#include "nets/sd_tokenizer.h"

namespace golden {
namespace {

using Json = nlohmann::json;

// --- text encoder ----------------------------------------------------------------------------------

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

void run_text_encoder(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const auto encoder = sr::make_sd_text_encoder(sr::sd_text_config(recorded.config()), recorded.parameters());
  const Tensor tokens = recorded.in("input_ids");
  compare(recorded, report, "encoder_output", encoder->transform(tokens));
  compare(recorded, report, "last_hidden_state", encoder->forward(tokens));
  recorded.leave("pooler_output");  // a row of it, which no diffusion network looks at
}

// --- tokenizer_sd2.tsv -----------------------------------------------------------------------------

/// A folder that goes away with the object.
class Folder {
 public:
  Folder() : path(fs::temp_directory_path() / fs::unique_path("sr-golden-%%%%%%%%")) {
    fs::create_directories(path);
  }
  ~Folder() {
    boost::system::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path path;
};

/// SD2's vocab.json and merges.txt, which hold what OpenAI's file does.
void write_vocabulary(const std::vector<sr::MergeRule>& rules, const fs::path& folder) {
  auto spellings = sr::byte_spellings();
  std::ranges::sort(spellings);
  Json vocabulary = Json::object();
  for (const std::string& byte : spellings) vocabulary[byte] = vocabulary.size();
  for (const std::string& byte : spellings) vocabulary[byte + sr::kWordEnd] = vocabulary.size();
  std::ofstream merges((folder / "merges.txt").string());
  merges << "#version: 0.2\n";
  for (const auto& [first, second] : rules) {
    vocabulary[first + second] = vocabulary.size();
    merges << first << ' ' << second << '\n';
  }
  for (const char* mark : {"<|startoftext|>", "<|endoftext|>"}) vocabulary[mark] = vocabulary.size();
  std::ofstream((folder / "vocab.json").string()) << vocabulary;
}

void check_row(const sr::SdTokenizer& tokenizer, const std::string& line, Report& report) {
  const auto fields = sr::split(line, '\t');  // prompt_json, ids, untruncated, ...
  const std::string prompt = Json::parse(fields.at(0));
  report.compare(fields.at(0), tokenizer.tokenize({prompt})[0],
                 token_row(fields.at(1), sr::SdTokenizer::context_length), 0);
  const auto count = static_cast<double>(tokenizer.encode(prompt).size() + 2);
  report.compare(fields.at(0) + ": untruncated", count, std::stod(fields.at(2)), 0);
}

void check_tokenizer(const fs::path& table, const Options& options, Report& report) {
  const fs::path vocabulary = options.data_for(table) / "clip/bpe_simple_vocab_16e6.txt.gz";
  if (!sr::path_exists(vocabulary)) {
    return report.skip(fmt::format("{} is missing (--data)", vocabulary.string()));
  }
  const Folder folder;
  write_vocabulary(sr::clip_merge_rules(vocabulary), folder.path);
  const sr::SdTokenizer tokenizer(folder.path);
  std::ifstream file(table.string());
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) check_row(tokenizer, line, report);
}

}  // namespace

void add_diffusion_text_handlers(Handlers& handlers) { handlers["CLIPTextModel"] = run_text_encoder; }

void add_diffusion_text_files(FileHandlers& handlers) { handlers["tokenizer_sd2.tsv"] = check_tokenizer; }

}  // namespace golden
