// golden [--only NAME[,NAME]] [--data DIR] DIR|FILE...
//
// Rebuilds every recorded case with our code and compares. One line a case: name, largest absolute error,
// largest error relative to the largest value, ok, FAIL or skip; what failed below it. Exit status 0 all
// passed, 1 some failed, 2 wrong usage or no case found.

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <sstream>

#include "case.h"
#include "core/error.h"
#include "image/vips.h"

namespace golden {
namespace {

struct Arguments {
  std::set<std::string> only;  ///< empty: all
  Options options;
  std::vector<fs::path> paths;
};

/// Names between commas, without the blank after one.
std::set<std::string> names(const std::string& list) {
  std::set<std::string> found;
  std::istringstream in(list);
  for (std::string name; std::getline(in >> std::ws, name, ',');) found.insert(name);
  return found;
}

struct Counts {
  int passed = 0, failed = 0, skipped = 0;
  int all() const { return passed + failed + skipped; }
};

class Runner {
 public:
  explicit Runner(Arguments arguments) : arguments_(std::move(arguments)) {
    add_image_handlers(handlers_);
    add_network_handlers(handlers_);
    add_discriminator_handlers(handlers_);
    add_kernel_handlers(handlers_);
    add_noise_handlers(handlers_);
    add_bsrgan_handlers(handlers_);
    add_pipeline_handlers(handlers_);
    add_clip_handlers(handlers_);
    add_niqe_handlers(handlers_);
    add_transformers_handlers(handlers_);
    add_perceptual_handlers(handlers_);
    add_fid_handlers(handlers_);
    add_correlation_handlers(handlers_);
    add_loss_handlers(handlers_);
    add_trainstep_handlers(handlers_);
    add_tagging_handlers(handlers_);
    add_diffusion_unet_handlers(handlers_);
    add_diffusion_text_handlers(handlers_);
    add_diffusion_vae_handlers(handlers_);
    add_diffusion_sampling_handlers(handlers_);
    add_diffusion_pipeline_handlers(handlers_);
    add_diffusion_train_handlers(handlers_);
    add_image_files(files_);
    add_picture_files(files_);
    add_clip_files(files_);
    add_niqe_files(files_);
    add_diffusion_text_files(files_);
    add_diffusion_vae_files(files_);
    add_diffusion_sampling_files(files_);
  }

  Counts run() {
    for (const fs::path& path : arguments_.paths) {
      if (!fs::exists(path)) throw sr::UsageError(fmt::format("{}: No such file", path.string()));
      if (!fs::is_directory(path)) {
        run_file(path);
        continue;
      }
      std::vector<fs::path> found;
      for (const auto& entry : fs::recursive_directory_iterator(path)) found.push_back(entry.path());
      std::sort(found.begin(), found.end());
      for (const fs::path& file : found) {
        if (may_be_case(file)) run_file(file);
      }
    }
    return counts_;
  }

 private:
  bool may_be_case(const fs::path& file) const {
    if (fs::is_directory(file) || file.filename() == "index.tsv") return false;  // that one lists the cases
    return file.extension() == ".safetensors" || file.extension() == ".tsv" ||
           files_.count(file.filename().string()) != 0;
  }

  /// A case of several things is called after all of them: "DownBlock2D, UpBlock2D".
  bool wanted(const std::string& name) const {
    return arguments_.only.empty() ||
           std::ranges::any_of(names(name), [&](const auto& one) { return arguments_.only.count(one) != 0; });
  }

  void run_file(const fs::path& file) {
    Report report;
    try {
      if (!attempt(file, report)) return;
    } catch (const std::exception& error) {
      // LibTorch's messages go on with a stack trace.
      report.fail(std::string(error.what()).substr(0, std::string_view(error.what()).find('\n')));
    }
    print(file, report);
  }

  /// False where the file is no case, or one that --only leaves out.
  bool attempt(const fs::path& file, Report& report) {
    return file.extension() == ".safetensors" ? attempt_case(file, report) : attempt_other(file, report);
  }

  bool attempt_case(const fs::path& file, Report& report) {
    const std::optional<Case> recorded = Case::read(file);
    if (!recorded || !wanted(recorded->arch())) return false;
    const auto handler = handlers_.find(recorded->arch());
    if (handler == handlers_.end()) {
      report.fail(fmt::format("unknown arch {}", recorded->arch()));
      return true;
    }
    handler->second(*recorded, report);
    const auto forgotten = recorded->forgotten();
    if (report.skipped().empty() && !forgotten.empty()) {
      report.fail(fmt::format("not compared: {}", fmt::join(forgotten, ", ")));
    }
    return true;
  }

  bool attempt_other(const fs::path& file, Report& report) {
    const std::string name = file.filename().string();
    if (!wanted(name) && !wanted(file.stem().string())) return false;
    const auto handler = files_.find(name);
    if (handler == files_.end()) {
      report.fail("unknown kind of case");
    } else {
      handler->second(file, arguments_.options, report);
    }
    return true;
  }

  void print(const fs::path& file, Report& report) {
    const std::string name = (file.parent_path().filename() / file.stem()).string();
    const bool skipped = report.ok() && !report.skipped().empty();
    if (report.ok() && !skipped && report.comparisons() == 0) report.fail("nothing compared");
    ++(skipped ? counts_.skipped : report.ok() ? counts_.passed : counts_.failed);
    const std::string verdict = skipped ? "skip: " + report.skipped() : report.ok() ? "ok" : "FAIL";
    fmt::print("{:<44} {:8.2e} {:8.2e} {}\n", name, report.worst_absolute(), report.worst_relative(),
               verdict);
    for (const std::string& failure : report.failures()) fmt::print("    {}\n", failure);
    std::fflush(stdout);
  }

  Arguments arguments_;
  Handlers handlers_;
  FileHandlers files_;
  Counts counts_;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool option = argument == "--only" || argument == "--data";
    if (argument.starts_with("-") && !option)
      throw sr::UsageError(fmt::format("unknown option {}", argument));
    if (option && i + 1 == argc) throw sr::UsageError(fmt::format("{} needs a value", argument));
    if (argument == "--data") {
      arguments.options.data = argv[++i];
    } else if (argument == "--only") {
      arguments.only.merge(names(argv[++i]));
    } else {
      arguments.paths.emplace_back(argument);
    }
  }
  if (arguments.paths.empty())
    throw sr::UsageError("usage: golden [--only NAME[,NAME]] [--data DIR] DIR|FILE...");
  return arguments;
}

sr::ExitStatus run(int argc, char** argv) {
  Runner runner(parse(argc, argv));
  const Counts counts = runner.run();
  if (counts.all() == 0) throw sr::UsageError("no case found");
  fmt::print("{} passed, {} failed, {} skipped\n", counts.passed, counts.failed, counts.skipped);
  return counts.failed == 0 ? sr::ExitStatus::ok : sr::ExitStatus::some_failed;
}

}  // namespace
}  // namespace golden

int main(int argc, char** argv) {
  try {
    const sr::VipsSession vips(argv[0], 1);
    return static_cast<int>(golden::run(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "golden: {}\n", error.what());
    return static_cast<int>(sr::ExitStatus::usage);
  }
}
