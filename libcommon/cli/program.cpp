#include "cli/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <fmt/format.h>

#include "cli/answers.h"
#include "cli/completions.h"
#include "cli/help.h"
#include "cli/man.h"
#include "core/files.h"
#include "core/signals.h"
#include "core/stdout.h"
#include "infer/device.h"

namespace sr {
namespace {

/// What CLI11 says, with the hint that people look for.
std::string usage_message(const CLI::Error& error, const std::string& program) {
  return fmt::format("{} (try '{} --help')", error.what(), program);
}

/// In the reverse order that CLI11 takes. It would read a file's name in brackets as a list.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> reversed;
  for (int i = argc - 1; i > 0; i--) {
    const std::string argument = argv[i];
    const bool bracketed = argument.size() > 1 && argument.front() == '[' && argument.back() == ']';
    reversed.push_back(bracketed ? "./" + argument : argument);
  }
  return reversed;
}

/// CLI11's own Range lets NaN through.
CLI::Validator number_between(double low, double high) {
  const auto check = [low, high](std::string& given) -> std::string {
    double number = 0;
    const bool read = CLI::detail::lexical_cast(given, number);
    return read && number >= low && number <= high
               ? ""
               : fmt::format("'{}' is not between {} and {}", given, low, high);
  };
  return {check, ""};
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace

std::string ProgramInfo::page() const {
  auto page = name;
  std::replace(page.begin(), page.end(), ' ', '-');
  return page;
}

Program::Program(ProgramInfo info)
    : info_(std::move(info)), app_(std::make_unique<CLI::App>(info_.summary, info_.name)), log_(info_.name) {
  app_->set_help_flag();  // ours prints its own page
  app_->allow_config_extras(false);
  add_common_options();
}

Program::~Program() = default;

Subcommand Program::subcommand() const { return {info_, option_table(*app_, offers_)}; }

void Program::add_common_options() {
  constexpr auto* group = "Common";
  app_->add_flag("-h,--help", help_, "Show this help and exit")->group(group)->configurable(false);
  app_->add_flag("--version", version_,
                 "Show the version and exit; with -v, of the libraries and the machine too")
      ->group(group)
      ->configurable(false);
  app_->add_flag("-q,--quiet", quiet_, "Errors only")->group(group);
  app_->add_flag("-v,--verbose", verbose_, "Say what is done, and how fast")->group(group);
  add_choice("--progress", progress_, "auto|always|never",
             "Show a progress bar; auto: where standard error is a terminal")
      ->group(group);
  app_->set_config("--config", "", "Read options from a TOML file; the command line wins")
      ->type_name("FILE")
      ->group(group);
  offer("--config", {{}, {"toml"}});
  if (!info_.is_subcommand()) {  // the program's script completes them too
    add_choice("--print-completion", completion_, "bash|zsh|fish",
               "Print the shell's completion script and exit")
        ->group(group)
        ->configurable(false);
    app_->add_flag("--print-answers", answers_)->group("")->configurable(false);  // the build's own
  }
  app_->add_flag("--print-man", man_, "Print the man page and exit")->group(group)->configurable(false);
}

CLI::Option* Program::add_choice(const std::string& name, std::string& value, const std::string& choices,
                                 const std::string& description) {
  const auto check = [choices](std::string& given) -> std::string {
    const auto all = split(choices, '|');
    if (std::find(all.begin(), all.end(), given) != all.end()) return "";
    return fmt::format("'{}' is none of {}", given, choices);
  };
  return app_->add_option(name, value, description)->type_name(choices)->check(CLI::Validator(check, ""));
}

void Program::offer(const std::string& option, Offer offer) {
  offers_[app_->get_option(option)->get_name()] = std::move(offer);
}

CLI::Option* Program::add_number(const std::string& name, double& value, double low, double high,
                                 const std::string& description) {
  return app_->add_option(name, value, description)->check(number_between(low, high));
}

CLI::Option* Program::add_number(const std::string& name, std::optional<double>& value, double low,
                                 double high, const std::string& description) {
  return app_->add_option(name, value, description)->check(number_between(low, high));
}

ProgressMode Program::progress() const {
  if (progress_ == "auto") return ProgressMode::automatic;
  return progress_ == "always" ? ProgressMode::always : ProgressMode::never;
}

std::string Program::version_text() const {
  const auto line = version_line(info_);
  return verbose_ ? line + describe_platform() : line;
}

/// Answers a question about the program itself, if one was asked.
bool Program::answer() const {
  const auto options = option_table(*app_, offers_);
  std::string text;
  if (help_) text = help_text(info_, options);
  if (version_) text = version_text();
  if (man_) text = man_page(info_, options);
  if (!completion_.empty()) text = completion_script(info_, options, completion_);
  if (answers_) text = answers_source(info_, options);
  if (text.empty()) return false;
  throw_stdout_error(write_stdout(text));
  return true;
}

ExitStatus Program::guarded(const std::function<ExitStatus()>& work) {
  try {
    if (answer()) return ExitStatus::ok;
    log_.set_verbosity(quiet_ ? Verbosity::quiet : verbose_ ? Verbosity::verbose : Verbosity::normal);
    return work();
  } catch (const UsageError& error) {
    log_.error(error.what());
    return ExitStatus::usage;
  } catch (const Interrupted&) {
    die_of(pending_signal());
  } catch (const BrokenPipe&) {
    die_of(SIGPIPE);
  } catch (const std::exception& error) {
    log_.error(first_line(error.what()));
    return ExitStatus::some_failed;
  }
}

/// A script's unset variable would pass for an option that was not given. Texts may be empty.
void Program::refuse_empty_values() {
  const auto check = [](std::string& given) { return given.empty() ? "its value is empty" : ""; };
  for (auto* option : app_->get_options()) {
    const bool is_text = option->get_type_name() == "TEXT" || option->get_type_size() > 1;
    if (!is_text && option->get_type_size_max() > 0) option->check(CLI::Validator(check, ""));
  }
}

/// A command's name among what is no option nor a value of one, and no file: it doesn't come first, as it
/// must. Empty where there is none.
std::string Program::late_command() const {
  auto words = app_->remaining();
  for (const auto* option : app_->get_options()) {
    if (!option->get_positional()) continue;
    const auto given = option->results();
    words.insert(words.end(), given.begin(), given.end());
  }
  for (const auto& command : info_.subcommands) {
    const auto found = std::find(words.begin(), words.end(), command.name());
    if (found != words.end() && !path_exists(*found)) return *found;
  }
  return {};
}

int Program::run(int argc, char** argv, const std::function<ExitStatus()>& work) {
  reserve_standard_streams();
  catch_signals();
  refuse_empty_values();
  std::string problem;
  try {
    app_->parse(arguments(argc, argv));
  } catch (const CLI::ParseError& error) {
    problem = usage_message(error, info_.name);
  }
  if (const auto command = late_command(); !command.empty())
    problem = fmt::format("{0}: the command must come first: {1} {0} ...", command, info_.name);
  if (!problem.empty()) {
    log_.error(problem);
    return static_cast<int>(ExitStatus::usage);
  }
  return static_cast<int>(guarded(work));
}

}  // namespace sr
