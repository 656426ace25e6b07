#include "cli/tagged_files.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <span>

#include "cli/batch.h"
#include "cli/measured_picture.h"
#include "cli/name_matches.h"
#include "core/signals.h"

namespace sr {
namespace {

using Results = std::vector<std::optional<TaggedPicture>>;

/// Hands results on in the order of the files, whichever batch is ready first.
class InOrder {
 public:
  explicit InOrder(const TaggingTask& task) : task_(task) {}

  /// The results of the files from `first` on. Whether all that could be handed on were.
  bool put(size_t first, Results results) {
    const std::scoped_lock lock(mutex_);
    waiting_.emplace(first, std::move(results));
    bool well = true;
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      const auto batch = waiting_.extract(waiting_.begin());
      for (const auto& result : batch.mapped()) {
        if (!result || !task_.done(next_, *result)) well = false;
        ++next_;
      }
    }
    return well;
  }

 private:
  const TaggingTask& task_;
  std::mutex mutex_;
  std::map<size_t, Results> waiting_;
  size_t next_ = 0;
};

/// Pictures of a batch that could be read.
struct ReadPictures {
  std::vector<size_t> places;  ///< in the batch
  std::vector<Tensor> inputs;
  std::vector<std::string> names;
};

Named names_of(const Input& file) { return {shown(file.path, "standard input")}; }

ReadPictures read_pictures(std::span<const Input> files, std::int64_t max_pixels, const Tagger& tagger,
                           Log& log) {
  ReadPictures read;
  for (size_t i = 0; i < files.size(); ++i) {
    check_interrupted();
    attempt(log, names_of(files[i]), [&] {
      read.inputs.push_back(tagger.input(image_of(load_values(files[i].path, max_pixels, log))));
      read.places.push_back(i);
      read.names.push_back(names_of(files[i]).front());
    });
  }
  return read;
}

Results tag_batch(std::span<const Input> files, const TaggingTask& task, Tagger& tagger, Log& log) {
  Results results(files.size());
  const auto read = read_pictures(files, task.max_pixels, tagger, log);
  if (read.inputs.empty()) return results;
  std::vector<TaggedPicture> tagged;
  attempt(log, {few_of(read.names)}, [&] { tagged = tagger(at::cat(read.inputs)); });
  for (size_t k = 0; k < tagged.size(); ++k) {
    const size_t i = read.places[k];
    const bool finite = attempt(log, names_of(files[i]), [&] { check_finite(tagged[k]); });
    if (finite) results[i] = std::move(tagged[k]);
  }
  return results;
}

}  // namespace

std::string row_name(const Input& input) { return is_stream(input.path) ? "stdin" : input.path.string(); }

void check_finite(const TaggedPicture& picture) {
  const auto sum = picture.probabilities.sum() + picture.embeddings.sum();
  if (!std::isfinite(sum.item<double>())) throw Error("the network's result is not finite");
}

bool tag_files(Program& program, Tagger& tagger, const TaggingTask& task) {
  const size_t size = static_cast<size_t>(task.batch), count = task.files.size();
  Progress progress(program.log(), program.progress(), count);
  InOrder in_order(task);
  std::atomic<bool> well = true;
  for_each_in_flight((count + size - 1) / size, task.jobs, [&](size_t batch) {
    at::set_num_threads(1);  // the network has the others
    const at::NoGradGuard no_grad;
    const auto files = std::span(task.files).subspan(batch * size, std::min(size, count - batch * size));
    if (!in_order.put(batch * size, tag_batch(files, task, tagger, program.log()))) well = false;
    progress.advance(static_cast<double>(files.size()));
  });
  check_interrupted();
  return well;
}

}  // namespace sr
