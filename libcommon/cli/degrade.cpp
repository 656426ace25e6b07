#include "cli/degrade.h"

#include "image/resized_rows.h"
#include "image/vips.h"
#include "infer/device.h"

namespace sr {

ExitStatus degrade(Program& program, const DegradeConfig& config) {
  check_output_options(config.output);
  const int threads = config.threads > 0 ? config.threads : available_processors();
  const VipsSession vips(program.info().name.c_str(), threads);
  const auto inputs = find_inputs(config.input, program.log(), config.output.output);
  Stage stage([threads] { at::set_num_threads(threads); });
  return run_batch(program, inputs, config.output, config.batch, [&](const Job& job, Progress& progress) {
    const auto picture = open_picture(job.input.path, config.max_pixels);
    auto rows = decode_rows(picture, alpha_policy(job, config.output, picture, program.log()));
    rows = with_progress(scale_rows(std::move(rows), 1 / config.scale, {}, stage), progress);
    encode(*rows, picture, job.target, encode_options(job, config.output, picture));
  });
}

}  // namespace sr
