// How `vitcl predict` shows its results.
#include "predict_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "console.hpp"
#include "csv.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;
using train::Checkpoint;

/// The `k` most probable classes; of equal ones the first.
std::vector<size_t> best(const Prediction& prediction, size_t k) {
  std::vector<size_t> classes(prediction.probabilities.size());
  std::iota(classes.begin(), classes.end(), 0);
  std::stable_sort(classes.begin(), classes.end(),
                   [&](size_t a, size_t b) { return prediction.probabilities[a] > prediction.probabilities[b]; });
  classes.resize(std::min(k, classes.size()));
  return classes;
}

size_t longest(const std::vector<std::string>& texts) {
  size_t length = 0;
  for (const std::string& text : texts) length = std::max(length, text.size());
  return length;
}

}  // namespace

void print_predictions_table(const std::vector<Prediction>& predictions, const Checkpoint& checkpoint, size_t k) {
  std::vector<std::string> images = {"IMAGE"}, names;
  for (const Prediction& prediction : predictions) {
    images.push_back(printable(prediction.image));
    for (const size_t c : best(prediction, k)) names.push_back(printable(class_name(checkpoint, c)));
  }
  const size_t image_width = longest(images), name_width = std::max<size_t>(longest(names), 5);
  print("{:<{}}", "IMAGE", image_width);
  const size_t shown = predictions.empty() ? 0 : best(predictions.front(), k).size();
  for (size_t rank = 1; rank <= shown; ++rank)
    print("   {:<{}}{:>9}", rank == 1 ? "CLASS" : fmt::format("{}.", rank), name_width, rank == 1 ? "SURE" : "");
  print("\n");
  for (size_t i = 0; i < predictions.size(); ++i) {
    print("{:<{}}", images[i + 1], image_width);
    for (const size_t c : best(predictions[i], k))
      print("   {:<{}}{:>7.2f} %", printable(class_name(checkpoint, c)), name_width,
            100 * predictions[i].probabilities[c]);
    print("\n");
  }
}

void print_predictions_json(const std::vector<Prediction>& predictions, const Checkpoint& checkpoint, size_t k) {
  ordered_json list = ordered_json::array();
  for (const Prediction& prediction : predictions) {
    ordered_json top = ordered_json::array();
    for (const size_t c : best(prediction, k))
      top.push_back({{"class", c}, {"name", class_name(checkpoint, c)}, {"probability", prediction.probabilities[c]}});
    const size_t first = best(prediction, 1).front();
    list.push_back({{"image", prediction.image},
                    {"class", first},
                    {"name", class_name(checkpoint, first)},
                    {"inverted", prediction.inverted},
                    {"top", top},
                    {"probabilities", prediction.probabilities}});
  }
  print("{}\n", list.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

void print_predictions_csv(const std::vector<Prediction>& predictions, const Checkpoint& checkpoint, size_t k) {
  std::vector<std::string> head = {"image", "inverted"};
  const size_t shown = predictions.empty() ? 0 : best(predictions.front(), k).size();
  for (size_t rank = 1; rank <= shown; ++rank)
    for (const char* field : {"class", "name", "probability"}) head.push_back(fmt::format("{}_{}", field, rank));
  print("{}", csv_line(head));
  for (const Prediction& prediction : predictions) {
    std::vector<std::string> fields = {prediction.image, prediction.inverted ? "1" : "0"};
    for (const size_t c : best(prediction, k)) {
      fields.push_back(std::to_string(c));
      fields.push_back(class_name(checkpoint, c));
      fields.push_back(fmt::format("{}", prediction.probabilities[c]));
    }
    print("{}", csv_line(fields));
  }
}

}  // namespace vitcl::cli
