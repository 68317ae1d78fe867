#include "vitcl/train/classification.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using train::classification_report;
using train::ClassificationReport;

/// Logits whose softmax is these probabilities.
std::vector<float> logits_of(std::initializer_list<double> probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Four images of three classes: right, wrong, right, wrong.
const std::vector<float> logits = logits_of({0.7, 0.2, 0.1, 0.6, 0.3, 0.1, 0.05, 0.9, 0.05, 0.24, 0.36, 0.40});
const std::vector<int32_t> labels = {0, 1, 1, 0};

TEST(ClassificationReport, CountsWhatIsTakenForWhat) {
  const ClassificationReport report = classification_report(logits, labels, 3, 2);
  EXPECT_EQ(report.samples, 4U);
  EXPECT_EQ(report.accuracy, 0.5);
  EXPECT_EQ(report.top_k_accuracy, 0.75);
  EXPECT_EQ(report.confusion, (std::vector<size_t>{1, 0, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(report.classes[0].precision(), 0.5);
  EXPECT_EQ(report.classes[0].recall(), 0.5);
  EXPECT_EQ(report.classes[1].precision(), 1.0);
  EXPECT_EQ(report.classes[1].recall(), 0.5);
  EXPECT_DOUBLE_EQ(*report.classes[1].f1(), 2.0 / 3);
  EXPECT_EQ(report.classes[2].precision(), 0.0);
  EXPECT_EQ(report.classes[2].recall(), std::nullopt) << "there is no image of this class";
  EXPECT_EQ(report.classes[2].f1(), 0.0);
}

TEST(ClassificationReport, MeasuresCalibration) {
  // With two intervals: confidence 0.4 in the lower one, wrong; 0.7, 0.6 and 0.9 in the upper, two of them right.
  const ClassificationReport report = classification_report(logits, labels, 3, 1, 2);
  ASSERT_EQ(report.calibration.size(), 2U);
  EXPECT_EQ(report.calibration[0].images, 1U);
  EXPECT_NEAR(report.calibration[0].confidence, 0.4, 1e-6);
  EXPECT_EQ(report.calibration[0].accuracy, 0);
  EXPECT_EQ(report.calibration[1].images, 3U);
  EXPECT_NEAR(report.calibration[1].confidence, 2.2 / 3, 1e-6);
  EXPECT_NEAR(report.calibration_error, 0.25 * 0.4 + 0.75 * (2.2 / 3 - 2.0 / 3), 1e-6);
  EXPECT_EQ(classification_report(logits, labels, 3, 1).calibration.size(), 15U);
}

TEST(ClassificationReport, ACertainPredictionIsInTheLastInterval) {
  const std::vector<float> certain = {-1000, 1000};
  const std::vector<int32_t> label = {1};
  const ClassificationReport report = classification_report(certain, label, 2, 5, 4);
  EXPECT_EQ(report.calibration.back().images, 1U);
  EXPECT_EQ(report.calibration_error, 0);
  EXPECT_EQ(report.k, 2U);
}

TEST(ClassificationReport, TheFirstOfEqualLogitsIsThePrediction) {
  const std::vector<float> equal = {1, 1, 1};
  const std::vector<int32_t> label = {1};
  const ClassificationReport report = classification_report(equal, label, 3, 2);
  EXPECT_EQ(report.accuracy, 0);
  EXPECT_EQ(report.top_k_accuracy, 1);
  EXPECT_EQ(report.classes[0].predicted, 1U);
}

TEST(ClassificationReport, RefusesWhatDoesNotFit) {
  const std::vector<int32_t> three = {0, 3, 1, 0}, few = {0};
  EXPECT_TRUE(says(error_of<DataError>([&] { classification_report(logits, three, 3, 1); }), {"image 1", "3", "2"}));
  EXPECT_THROW(classification_report(logits, few, 3, 1), ShapeError);
  std::vector<float> broken = logits;
  broken[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(says(error_of<NumericsError>([&] { classification_report(broken, labels, 3, 1); }), {"image 1", "nan"}));
}

}  // namespace
}  // namespace vitcl::test
