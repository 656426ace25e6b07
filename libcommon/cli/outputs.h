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

/// Throws UsageError where `file`, which `option` asked for, is what a job reads or writes.
void check_apart(const std::string& option, const fs::path& file, const std::vector<Job>& jobs);

/// True where both names lead to one file, be it there or not.
bool is_same_place(const fs::path& a, const fs::path& b);

/// What may be looked at when all is done (a sheet of pictures, a page): throws UsageError where `file` can't
/// be written, or is what a job reads or writes, or a result goes to standard output, from where it can't be
/// read again. `option` asked for it.
void check_overview(const std::string& option, const fs::path& file, const std::vector<Job>& jobs);

/// Throws UsageError where `file` has a picture's name or is one, which what is no picture ("a page") must
/// not replace. It should be called `better`: "FILE.html".
void check_no_picture(const fs::path& file, const std::string& what, const fs::path& better);

/// How the picture is to be written: what the options ask for, else as it came, within what the format holds.
EncodeOptions encode_options(const Job& job, const OutputOptions& options, const Picture& picture);

/// Transparency for this picture: a format that cannot hold it gets white underneath, with a warning.
AlphaPolicy alpha_policy(const Job& job, const OutputOptions& options, const Picture& picture, Log& log);

/// Throws UsageError if an option's value makes no sense for any picture.
void check_output_options(const OutputOptions& options);

}  // namespace sr
