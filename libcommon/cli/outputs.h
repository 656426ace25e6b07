#pragma once
// Where results go and in which form.

#include <string>
#include <vector>

#include "cli/inputs.h"
#include "image/decode.h"
#include "image/encode.h"

namespace sr {

/// One input and where its result goes.
struct Job {
  Input input;
  fs::path target;  ///< "-": standard output
  Format format;
};

/// Decides every target before any work starts. Throws UsageError where two inputs would land in one file, a
/// result would overwrite its input, or a format is not known. Folders are made as needed.
std::vector<Job> plan_outputs(const Inputs& inputs, const OutputOptions& options);

/// Throws UsageError where two jobs would write one file, or one what another (or itself) reads. Of every job
/// that `plan_outputs` makes, and of what else a program writes.
void check_targets(const std::vector<Job>& jobs);

/// What may be looked at when all is done (a sheet of pictures, a page): throws UsageError where `file` can't
/// be written, or is what a job reads or writes, or a result goes to standard output, from where it can't be
/// read again. `option` asked for it.
void check_overview(const std::string& option, const fs::path& file, std::vector<Job> jobs);

/// How the picture is to be written: what the options ask for, else as it came, within what the format holds.
EncodeOptions encode_options(const Job& job, const OutputOptions& options, const Picture& picture);

/// Transparency for this picture: a format that cannot hold it gets white underneath, with a warning.
AlphaPolicy alpha_policy(const Job& job, const OutputOptions& options, const Picture& picture, Log& log);

/// Throws UsageError if an option's value makes no sense for any picture.
void check_output_options(const OutputOptions& options);

}  // namespace sr
