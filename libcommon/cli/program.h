#pragma once
// The frame of every program: options, help, versions, signals, exit statuses.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/option_table.h"
#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"

// CLI11 is one large header: only what declares options includes it.
namespace CLI {
class Option;
}  // namespace CLI

namespace sr {

struct Example {
  std::string command;
  std::string text;  ///< what it does, a sentence
};

struct Subcommand;

/// What the help and the man page say beside the options.
struct ProgramInfo {
  std::string name;         ///< "sr-iqa"; of a subcommand "sr-iqa correlate"
  std::string summary;      ///< one line, no full stop
  std::string synopsis;     ///< "[OPTION]... IN... -o OUT"
  std::string description;  ///< paragraphs, parted by empty lines
  std::vector<Example> examples;
  std::vector<Subcommand> subcommands = {};

  bool is_subcommand() const { return name.find(' ') != std::string::npos; }
  /// Of its man page: "sr-iqa-correlate".
  std::string page() const;
};

/// A program's command that has options, help and a man page of its own.
struct Subcommand {
  ProgramInfo info;
  OptionTable options;

  /// "correlate".
  std::string name() const { return info.name.substr(info.name.find(' ') + 1); }
};

/// One program: declare options on `app()`, then `run`.
class Program {
 public:
  explicit Program(ProgramInfo info);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  CLI::App& app() { return *app_; }
  const ProgramInfo& info() const { return info_; }
  /// As the program that it is a command of knows it.
  Subcommand subcommand() const;
  Log& log() { return log_; }
  ProgressMode progress() const;

  /// Parses, answers --help, --version, --print-completion and --print-man (and, for the launcher, all of
  /// them: --print-answers), or calls `work` under signal handling. Returns the exit status; a caught signal
  /// ends the process instead.
  int run(int argc, char** argv, const std::function<ExitStatus()>& work);

  /// An option whose value is one of `choices`, "a|b|c"; they are shown in the help, checked and completed.
  CLI::Option* add_choice(const std::string& name, std::string& value, const std::string& choices,
                          const std::string& description);

  /// Has shells offer this for the value of an option that was added: "--model".
  void offer(const std::string& option, Offer offer);

  /// An option whose value is a number in [low, high].
  CLI::Option* add_number(const std::string& name, double& value, double low, double high,
                          const std::string& description);
  CLI::Option* add_number(const std::string& name, std::optional<double>& value, double low, double high,
                          const std::string& description);

 private:
  void add_common_options();
  void refuse_empty_values();
  std::string late_command() const;
  bool answer() const;
  std::string version_text() const;
  ExitStatus guarded(const std::function<ExitStatus()>& work);

  ProgramInfo info_;
  std::unique_ptr<CLI::App> app_;
  Log log_;
  bool help_ = false, version_ = false, quiet_ = false, verbose_ = false;
  std::string progress_ = "auto";
  std::string completion_;
  bool man_ = false, answers_ = false;
  Offers offers_;
};

}  // namespace sr
