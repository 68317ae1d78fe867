// How `vitcl eval` shows its results.
#include "eval_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "console.hpp"
#include "csv.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;
using train::ClassificationReport;
using train::ClassScore;

constexpr size_t most_shown_classes = 20;  // of a confusion matrix that fits in a terminal
constexpr size_t name_width = 16;

std::string percent(const std::optional<double>& ratio) { return ratio ? fmt::format("{:.2f} %", 100 * *ratio) : "-"; }

/// The class's name, cut to the width of its column.
std::string short_name(const EvalResult& result, size_t index) {
  return fmt::format("{:.{}}", printable(class_name(result.checkpoint, index)), name_width);
}

void print_totals(const EvalResult& result) {
  const ClassificationReport& report = result.report;
  print("test accuracy   {:.2f} % of {} images of {}\n", 100 * report.accuracy, grouped(report.samples), result.data);
  if (report.k > 1) print("top {:<12}{:.2f} %\n", report.k, 100 * report.top_k_accuracy);
  print("test loss       {:.4f}\n", result.evaluation.loss);
  print("calibration     error {:.4f} (expected, over {} intervals of confidence)\n", report.calibration_error,
        report.calibration.size());
  print("execution time  {:.1f} s\n", result.seconds);
}

void print_classes(const EvalResult& result) {
  print("\n{:<{}}{:>10}{:>11}{:>11}{:>11}\n", "CLASS", name_width + 2, "IMAGES", "PRECISION", "RECALL", "F1");
  for (size_t c = 0; c < result.report.classes.size(); ++c) {
    const ClassScore& score = result.report.classes[c];
    print("{:<{}}{:>10}{:>11}{:>11}{:>11}\n", short_name(result, c), name_width + 2, grouped(score.images),
          percent(score.precision()), percent(score.recall()), percent(score.f1()));
  }
}

void print_confusion(const EvalResult& result) {
  const size_t classes = result.report.classes.size();
  if (classes > most_shown_classes) {
    print("\nThe confusion matrix of {} classes is in --json and --csv.\n", classes);
    return;
  }
  const size_t largest = *std::max_element(result.report.confusion.begin(), result.report.confusion.end());
  const size_t width = std::max<size_t>(5, std::to_string(largest).size() + 1);
  print("\n{:<{}}", "TAKEN FOR", name_width + 2);
  for (size_t c = 0; c < classes; ++c) print("{:>{}}", fmt::format("{:.{}}", short_name(result, c), width - 1), width);
  print("\n");
  for (size_t row = 0; row < classes; ++row) {
    print("{:<{}}", short_name(result, row), name_width + 2);
    for (size_t c = 0; c < classes; ++c) {
      const size_t count = result.report.confusion[row * classes + c];
      print("{:>{}}", count == 0 ? "." : std::to_string(count), width);
    }
    print("\n");
  }
}

ordered_json or_null(const std::optional<double>& ratio) { return ratio ? ordered_json(*ratio) : ordered_json(); }

ordered_json classes_json(const EvalResult& result) {
  ordered_json list = ordered_json::array();
  for (size_t c = 0; c < result.report.classes.size(); ++c) {
    const ClassScore& score = result.report.classes[c];
    list.push_back({{"class", c},
                    {"name", class_name(result.checkpoint, c)},
                    {"images", score.images},
                    {"predicted", score.predicted},
                    {"correct", score.correct},
                    {"precision", or_null(score.precision())},
                    {"recall", or_null(score.recall())},
                    {"f1", or_null(score.f1())}});
  }
  return list;
}

ordered_json confusion_json(const ClassificationReport& report) {
  ordered_json rows = ordered_json::array();
  const auto classes = static_cast<std::ptrdiff_t>(report.classes.size());
  for (auto row = report.confusion.begin(); row != report.confusion.end(); row += classes) {
    rows.push_back(std::vector<size_t>(row, row + classes));
  }
  return rows;
}

ordered_json calibration_json(const ClassificationReport& report) {
  ordered_json bins = ordered_json::array();
  for (const train::CalibrationBin& bin : report.calibration) {
    bins.push_back({{"images", bin.images}, {"confidence", bin.confidence}, {"accuracy", bin.accuracy}});
  }
  return {{"expected_error", report.calibration_error}, {"bins", bins}};
}

/// The last line of the table: all images, for which precision, recall and F1 are the accuracy.
std::vector<std::string> totals(const EvalResult& result) {
  const ClassificationReport& report = result.report;
  const std::string images = std::to_string(report.samples), accuracy = fmt::format("{}", report.accuracy);
  size_t correct = 0;
  for (const ClassScore& score : report.classes) correct += score.correct;
  std::vector<std::string> fields = {"all", "", images, images, std::to_string(correct), accuracy, accuracy, accuracy};
  for (const double figure : {report.top_k_accuracy, report.calibration_error, result.evaluation.loss})
    fields.push_back(fmt::format("{}", figure));
  for (const ClassScore& score : report.classes) fields.push_back(std::to_string(score.predicted));
  return fields;
}

std::string or_empty(const std::optional<double>& ratio) { return ratio ? fmt::format("{}", *ratio) : ""; }

}  // namespace

void print_eval_table(const EvalResult& result) {
  print_totals(result);
  print_classes(result);
  print_confusion(result);
}

void print_eval_json(const EvalResult& result) {
  const ClassificationReport& report = result.report;
  ordered_json document = {{"checkpoint", result.checkpoint_file},
                           {"data", result.data},
                           {"samples", report.samples},
                           {"test_loss", result.evaluation.loss},
                           {"test_accuracy", report.accuracy},
                           {"top_k", {{"k", report.k}, {"accuracy", report.top_k_accuracy}}},
                           {"calibration", calibration_json(report)},
                           {"classes", classes_json(result)},
                           {"confusion", confusion_json(report)},
                           {"test_seconds", result.seconds},
                           {"device", result.device}};
  print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

void print_eval_csv(const EvalResult& result) {
  const ClassificationReport& report = result.report;
  const size_t classes = report.classes.size();
  std::vector<std::string> head = {"class", "name", "images", "predicted", "correct", "precision", "recall", "f1"};
  const std::vector<std::string> of_all = {fmt::format("top {} accuracy", report.k), "calibration error", "test loss"};
  head.insert(head.end(), of_all.begin(), of_all.end());
  for (size_t c = 0; c < classes; ++c) head.push_back("taken for " + class_name(result.checkpoint, c));
  print("{}", csv_line(head));
  for (size_t row = 0; row < classes; ++row) {
    const ClassScore& score = report.classes[row];
    std::vector<std::string> fields = {std::to_string(row),           class_name(result.checkpoint, row),
                                       std::to_string(score.images),  std::to_string(score.predicted),
                                       std::to_string(score.correct), or_empty(score.precision()),
                                       or_empty(score.recall()),      or_empty(score.f1())};
    fields.insert(fields.end(), of_all.size(), "");
    for (size_t c = 0; c < classes; ++c) fields.push_back(std::to_string(report.confusion[row * classes + c]));
    print("{}", csv_line(fields));
  }
  print("{}", csv_line(totals(result)));
}

}  // namespace vitcl::cli
