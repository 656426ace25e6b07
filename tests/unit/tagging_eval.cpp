// OP, OR and AP, by numbers worked out by hand.

#include <doctest.h>
#include <random>

#include "tagging/evaluation.h"

using namespace sr;

namespace {

using Outcomes = std::vector<TagOutcome>;

/// Labelled or not, in falling order of probability.
Outcomes ranking(const std::vector<bool>& labelled) {
  Outcomes outcomes;
  for (const bool is : labelled)
    outcomes.push_back({is, false, 1 - 0.01 * static_cast<double>(outcomes.size())});
  return outcomes;
}

/// At each label: the precision of the threshold that just lets it pass.
double by_definition(const Outcomes& outcomes, int labels) {
  double sum = 0;
  for (const auto& limit : outcomes) {
    if (!limit.labelled) continue;
    int passed = 0, correct = 0;
    for (const auto& other : outcomes) {
      if (*other.probability < *limit.probability) continue;
      ++passed;
      correct += other.labelled ? 1 : 0;
    }
    sum += static_cast<double>(correct) / passed;
  }
  return sum / labels;
}

}  // namespace

TEST_CASE("OP and OR are quotients of sums over classes") {
  const Outcomes cat{{true, true, {}}, {true, false, {}}, {false, true, {}}, {false, false, {}}};
  const Outcomes dog{{true, true, {}}, {true, true, {}}, {true, false, {}}, {false, false, {}}};
  TagCounts counts = count_tags(cat);
  CHECK(counts.labelled == 2);
  CHECK(counts.predicted == 2);
  CHECK(counts.correct == 1);
  counts += count_tags(dog);
  CHECK(*counts.precision() == doctest::Approx(3.0 / 4));
  CHECK(*counts.recall() == doctest::Approx(3.0 / 5));
}

TEST_CASE("scores of classes: sums, and means over them") {
  const TagCounts cat{.labelled = 4, .predicted = 2, .correct = 1},
      dog{.labelled = 1, .predicted = 1, .correct = 1};
  const TagCounts never{.labelled = 5}, absent{.predicted = 1};
  const TagScores scores = tag_scores(std::vector{cat, dog, never, absent});
  CHECK(*scores.op == doctest::Approx(2.0 / 4));
  CHECK(*scores.or_ == doctest::Approx(2.0 / 10));
  CHECK(*scores.of1 == doctest::Approx(2 * 0.5 * 0.2 / 0.7));
  CHECK(*scores.cp == doctest::Approx((0.5 + 1 + 0 + 0) / 4));
  CHECK(*scores.cr == doctest::Approx((0.25 + 1 + 0) / 3));
  CHECK(!tag_scores(std::vector{never}).of1);
}

TEST_CASE("nothing predicted or labelled: no quotient") {
  CHECK(!TagCounts{}.precision());
  CHECK(!TagCounts{}.recall());
  CHECK(!count_tags(Outcomes{{true, false, {}}}).precision());
  CHECK(*count_tags(Outcomes{{true, false, {}}}).recall() == 0);
  CHECK(!average_precision({}));
  CHECK(!average_precision(ranking({false, false})));
}

TEST_CASE("AP is the mean of the precisions at the labels") {
  CHECK(*average_precision(ranking({true, true, false})) == 1);
  CHECK(*average_precision(ranking({true, false, true})) == doctest::Approx((1 + 2.0 / 3) / 2));
  CHECK(*average_precision(ranking({false, false, true})) == doctest::Approx(1.0 / 3));
  // no label takes the better precision of a later one
  CHECK(*average_precision(ranking({false, true, true})) == doctest::Approx((1.0 / 2 + 2.0 / 3) / 2));
}

TEST_CASE("AP does not depend on the order of equal probabilities") {
  const Outcomes one{{true, false, 0.5}, {false, false, 0.5}}, other{{false, false, 0.5}, {true, false, 0.5}};
  CHECK(*average_precision(one) == doctest::Approx(0.5));
  CHECK(*average_precision(other) == doctest::Approx(0.5));
}

TEST_CASE("AP: labels that were never proposed are never found") {
  Outcomes outcomes = ranking({true});
  outcomes.push_back({true, false, std::nullopt});
  CHECK(*average_precision(outcomes) == doctest::Approx(0.5));
  CHECK(*average_precision(Outcomes{{true, true, std::nullopt}}) == 0);
}

TEST_CASE("AP is what its definition says, of random rankings with ties") {
  std::mt19937 random(5);
  for (int trial = 0; trial < 100; ++trial) {
    Outcomes outcomes;
    int labels = 0;
    for (int i = 0; i < 30; ++i) {
      const bool labelled = random() % 3 == 0;
      labels += labelled ? 1 : 0;
      outcomes.push_back({labelled, false, static_cast<double>(random() % 12)});
    }
    if (labels > 0) CHECK(*average_precision(outcomes) == doctest::Approx(by_definition(outcomes, labels)));
  }
}
