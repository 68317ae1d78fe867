#include "vitcl/train/classification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vitcl/backend/error.hpp"

namespace vitcl::train {
namespace {

double ratio(size_t part, size_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

/// The softmax of the largest logit.
double confidence_of(std::span<const float> logits, float largest) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - static_cast<double>(largest));
  return 1 / sum;
}

/// How many classes come before `label` when they are sorted by their logits, equal ones by their numbers.
size_t rank_of(std::span<const float> logits, size_t label) {
  size_t rank = 0;
  for (size_t c = 0; c < logits.size(); ++c) {
    if (logits[c] > logits[label] || (logits[c] == logits[label] && c < label)) ++rank;
  }
  return rank;
}

void check(std::span<const float> logits, std::span<const int32_t> labels, size_t classes) {
  if (classes == 0 || logits.size() != labels.size() * classes)
    throw ShapeError(fmt::format("[classification report] {} logits were given for {} images and {} classes",
                                 logits.size(), labels.size(), classes));
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || static_cast<size_t>(labels[i]) >= classes)
      throw DataError(fmt::format("the label of image {} is {}, want one from 0 to {}", i, labels[i], classes - 1));
  }
  const auto bad = std::find_if(logits.begin(), logits.end(), [](float logit) { return !std::isfinite(logit); });
  if (bad != logits.end())
    throw NumericsError(fmt::format("a logit of image {} is {}; finite numbers are wanted",
                                    static_cast<size_t>(bad - logits.begin()) / classes, *bad));
}

/// From sums over each interval's images to means, and to the expected calibration error.
void finish_calibration(ClassificationReport& report) {
  for (CalibrationBin& bin : report.calibration) {
    if (bin.images == 0) continue;
    bin.confidence /= static_cast<double>(bin.images);
    bin.accuracy /= static_cast<double>(bin.images);
    report.calibration_error += ratio(bin.images, report.samples) * std::abs(bin.accuracy - bin.confidence);
  }
}

}  // namespace

std::optional<double> ClassScore::precision() const {
  return predicted > 0 ? std::optional(ratio(correct, predicted)) : std::nullopt;
}
std::optional<double> ClassScore::recall() const {
  return images > 0 ? std::optional(ratio(correct, images)) : std::nullopt;
}
std::optional<double> ClassScore::f1() const {
  return images + predicted > 0 ? std::optional(2 * ratio(correct, images + predicted)) : std::nullopt;
}

ClassificationReport classification_report(std::span<const float> logits, std::span<const int32_t> labels,
                                           size_t classes, size_t k, size_t bins) {
  check(logits, labels, classes);
  ClassificationReport report{.samples = labels.size(),
                              .k = std::min(k, classes),
                              .classes = std::vector<ClassScore>(classes),
                              .confusion = std::vector<size_t>(classes * classes),
                              .calibration = std::vector<CalibrationBin>(bins)};
  size_t hits = 0, hits_in_k = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::span<const float> row = logits.subspan(i * classes, classes);
    const auto largest = std::max_element(row.begin(), row.end());
    const auto label = static_cast<size_t>(labels[i]), predicted = static_cast<size_t>(largest - row.begin());
    const bool correct = predicted == label;
    hits += correct ? 1 : 0;
    hits_in_k += rank_of(row, label) < report.k ? 1 : 0;
    ++report.classes[label].images;
    ++report.classes[predicted].predicted;
    report.classes[label].correct += correct ? 1 : 0;
    ++report.confusion[label * classes + predicted];
    const double confidence = confidence_of(row, *largest);
    const double interval = std::ceil(confidence * static_cast<double>(bins));
    CalibrationBin& bin = report.calibration[std::min(static_cast<size_t>(interval), bins) - 1];
    ++bin.images;
    bin.confidence += confidence;
    bin.accuracy += correct ? 1 : 0;
  }
  report.accuracy = ratio(hits, report.samples);
  report.top_k_accuracy = ratio(hits_in_k, report.samples);
  finish_calibration(report);
  return report;
}

}  // namespace vitcl::train
