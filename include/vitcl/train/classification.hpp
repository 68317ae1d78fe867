#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vitcl::train {

/// How well one class is told from the others. A ratio of nothing is empty.
struct ClassScore {
  size_t images = 0;     ///< of this class
  size_t predicted = 0;  ///< taken for this class
  size_t correct = 0;    ///< both

  std::optional<double> precision() const;  ///< correct / predicted
  std::optional<double> recall() const;     ///< correct / images
  std::optional<double> f1() const;         ///< the harmonic mean of both: 2 correct / (images + predicted)
};

/// The predictions whose confidence, the probability of the predicted class, lies in one interval.
struct CalibrationBin {
  size_t images = 0;
  double confidence = 0;  ///< mean
  double accuracy = 0;    ///< 0 to 1
};

/// A classifier's results on labelled images. A prediction is the class of the largest logit, the first on a tie.
struct ClassificationReport {
  size_t samples = 0;
  double accuracy = 0;  ///< 0 to 1
  size_t k = 0;
  double top_k_accuracy = 0;  ///< share of images whose label is among the k largest logits
  std::vector<ClassScore> classes;
  std::vector<size_t> confusion;  ///< (classes, classes): images of the row's class taken for the column's

  /// Calibration after Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2: the confidences in
  /// equally wide intervals ((m - 1) / bins, m / bins]; the expected calibration error is the sum over them of
  /// |accuracy - confidence|, weighted by their share of the images.
  std::vector<CalibrationBin> calibration;
  double calibration_error = 0;
};

/// The number of intervals in Guo et al.'s tables.
constexpr size_t calibration_bins = 15;

/// logits: (samples, classes), labels: (samples). `k` is cut to the number of classes. Throws ShapeError where the
/// sizes don't fit together, DataError for a label that is no class, NumericsError for a logit that is not finite.
ClassificationReport classification_report(std::span<const float> logits, std::span<const int32_t> labels,
                                           size_t classes, size_t k, size_t bins = calibration_bins);

}  // namespace vitcl::train
