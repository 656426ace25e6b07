// Tag lists, thresholds, and pictures as RAM takes them.

#include "tagging/ram_input.h"
#include "tagging/tags.h"
#include "weights_testing.h"

using namespace sr;
using namespace sr::testing;

TEST_CASE("a tag list is read line by line") {
  const ScratchFolder folder;
  const auto names = folder.write("tags.txt", "3D CG rendering\nt-shirt\r\nrubik's cube");
  const auto limits = folder.write("thresholds.txt", "0.65\n0.7\r\n1\n");
  const TagList tags = read_tag_list(names, limits);
  CHECK((tags.names == std::vector<std::string>{"3D CG rendering", "t-shirt", "rubik's cube"}));
  CHECK(tags.thresholds.equal(torch::tensor({0.65F, 0.7F, 1.0F})));
  check_tag_list(tags, 3);
  CHECK(error_of([&] { check_tag_list(tags, 4585); }) == "the tag list has 3 tags, the network knows 4585");
}

TEST_CASE("bad tag lists name the file and the line") {
  const ScratchFolder folder;
  const auto names = folder.write("tags.txt", "bird\ntree\n");
  const auto complaint = [&](const std::string& text) {
    const auto limits = folder.write("limits.txt", text);
    const std::string said = error_of([&] { read_tag_list(names, limits); });
    return said.substr(said.find("limits.txt"));
  };
  CHECK(complaint("0.5\n") == "limits.txt has 1 thresholds");
  CHECK(complaint("") == "limits.txt: the file is empty");
  CHECK(complaint("0.5\n\n") == "limits.txt: line 2 is empty");
  CHECK(complaint("0.5\nbird\n") == "limits.txt: line 2 is no number from 0 to 1: bird");
  CHECK(complaint("0.5\n0.5x\n") == "limits.txt: line 2 is no number from 0 to 1: 0.5x");
  CHECK(complaint("0.5\n1.5\n") == "limits.txt: line 2 is no number from 0 to 1: 1.5");
  CHECK(complaint("0.5\nnan\n") == "limits.txt: line 2 is no number from 0 to 1: nan");
  CHECK(contains(error_of([&] { read_tag_list(folder.path() / "none.txt", names); }), "none.txt"));
}

TEST_CASE("a tag must be above its own threshold, in float32") {
  const TagList tags{.names = {"bird", "branch", "tree", "water"},
                     .thresholds = torch::tensor({0.65F, 0.65F, 0.2F, 0.9F})};
  const Tensor scores = torch::tensor({0.65F, std::nextafter(0.65F, 1.0F), 0.21F, 0.5F});
  const auto present = present_tags(scores, tags.thresholds);
  CHECK((present == std::vector<size_t>{1, 2}));
  CHECK(joined_tags(tags, present) == "branch, tree");
  CHECK(joined_tags(tags, {}).empty());
  const Tensor nothing = torch::full({4}, std::numeric_limits<float>::quiet_NaN());
  CHECK(present_tags(nothing, tags.thresholds).empty());
}

TEST_CASE("probabilities are float32 whatever the logits are") {
  const Tensor scores = tag_probabilities(torch::tensor({0.0F, 8.0F}).to(at::kBFloat16));
  CHECK((scores.scalar_type() == at::kFloat));
  CHECK(scores[0].item<float>() == 0.5F);
}

TEST_CASE("pictures become squares by ImageNet's mean and deviation") {
  const Tensor grey = at::full({2, 3, 5, 9}, 0.485F);
  const Tensor input = ram_input(grey, 8);
  CHECK((input.sizes() == at::IntArrayRef{2, 3, 8, 8}));
  CHECK(input.select(1, 0).abs().max().item<float>() < 1e-6);
  CHECK(input[0][1][3][3].item<float>() == doctest::Approx((0.485 - 0.456) / 0.224));
  // Every second pixel's neighbours, no wider window: lines one pixel wide come out at half of themselves.
  const Tensor lines = at::zeros({1, 3, 16, 16});
  lines.slice(3, 0, 16, 4).fill_(1);
  const Tensor shrunk = ram_input(lines, 4) * 0.229 + 0.485;
  CHECK(shrunk[0][0][0][0].item<float>() == doctest::Approx(0).epsilon(1e-5));
  // Bicubic overshoots, and is clamped.
  const Tensor edge = at::zeros({1, 3, 8, 8});
  edge.slice(3, 4).fill_(1);
  const Tensor cubic = ram_input(edge, 16, RamResize::bicubic).select(1, 0) * 0.229 + 0.485;
  CHECK(cubic.max().item<float>() < 1 + 1e-5);
  CHECK(cubic.min().item<float>() > -1e-5);
  CHECK(error_of([] {
          ram_input(at::zeros({1, 1, 4, 4}), 8);
        }) == "RAM looks at RGB images [N,3,H,W], not [1,1,4,4]");
}

TEST_CASE("the most probable tags come first, equal ones in the list's order") {
  const Tensor probabilities = torch::tensor({0.2F, 0.9F, 0.5F, 0.9F, 0.5F});
  CHECK((most_probable_tags(probabilities, 4) == std::vector<size_t>{1, 3, 2, 4}));
  CHECK((most_probable_tags(probabilities, 50) == std::vector<size_t>{1, 3, 2, 4, 0}));
  CHECK(most_probable_tags(probabilities, 0).empty());
}
