#include "vitcl/train/verify.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "step_program.hpp"

namespace vitcl::train {
namespace {

constexpr size_t steps = 5;

/// The bundle's model on the device, with the bundle's parameters and batch.
class BundleRun {
 public:
  BundleRun(Device& device, const io::Bundle& bundle, bool fuse)
      : queue_(device.queue()),
        bundle_(bundle),
        initial_(io::import_parameters(bundle.config, bundle.dialect, bundle.parameters)),
        graph_(models::vit_training_graph(bundle.config, {.label_smoothing = bundle.label_smoothing})),
        parameters_(device, graph_.parameters()),
        plan_(graph_, parameters_, queue_, bundle.batch, {.mode = nn::Mode::training, .fuse = fuse}),
        exp_avg_(Tensor::empty(device, parameters_.values().shape())),
        exp_avg_sq_(Tensor::empty(device, parameters_.values().shape())),
        table_(Tensor::empty(device, {steps, 4})),
        cursor_(Tensor::empty(device, {1}, DType::i32)) {
    write_table();
    restart();
  }

  /// Back to the bundle's parameters and an optimiser that has not stepped.
  void restart() {
    parameters_.load(queue_, initial_);
    queue_.zero(exp_avg_.buffer());
    queue_.zero(exp_avg_sq_.buffer());
  }

  /// Forward and backward; returns the mean loss.
  double run() {
    upload<float>(queue_, bundle_.images, plan_.tensor("images"));
    upload<int32_t>(queue_, bundle_.labels, plan_.tensor("labels"));
    if (bundle_.config.masked) upload<uint8_t>(queue_, bundle_.mask, plan_.tensor("mask"));
    plan_.run();
    double sum = 0;
    for (float loss : download<float>(queue_, plan_.tensor("loss"))) sum += static_cast<double>(loss);
    return sum / static_cast<double>(bundle_.batch);
  }

  std::vector<float> logits() { return download<float>(queue_, plan_.tensor("logits")); }
  io::HostTensors gradients() { return exported(parameters_.gradients()); }
  io::HostTensors values() { return exported(parameters_.values()); }
  void set_gradients(const io::HostTensors& gradients) {
    parameters_.load_into(queue_, io::import_parameters(bundle_.config, bundle_.dialect, gradients),
                          parameters_.gradients());
  }

  /// Adam's step number `step`, counted from 0.
  void update(size_t step) {
    auto row = static_cast<int32_t>(step);
    queue_.write(cursor_.buffer(), &row, sizeof(row));
    ops::adam(queue_, parameters_.gradients(), {}, table_, cursor_, parameters_.values(), exp_avg_, exp_avg_sq_);
  }

 private:
  void write_table() {
    std::vector<ops::StepEntry> entries(steps);
    for (size_t i = 0; i < steps; ++i) entries[i] = step_entry({}, static_cast<double>(bundle_.lr), i + 1, 0);
    queue_.write(table_.buffer(), entries.data(), entries.size() * sizeof(entries[0]));
  }

  io::HostTensors exported(const Tensor& flat) {
    return io::export_parameters(bundle_.config, bundle_.dialect, parameters_.save(queue_, flat));
  }

  Queue& queue_;
  const io::Bundle& bundle_;
  nn::NamedTensors initial_;
  nn::Graph graph_;
  nn::Parameters parameters_;
  nn::Plan plan_;
  Tensor exp_avg_, exp_avg_sq_, table_, cursor_;
};

/// The larger of two errors, where a NaN is larger than anything.
double worse(double a, double b) { return std::isnan(a) || a > b ? a : b; }

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

Deviation compare_logits(const std::vector<float>& got, const std::vector<float>& wanted) {
  double error = 0, largest = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    error = worse(std::abs(static_cast<double>(got[i]) - static_cast<double>(wanted[i])), error);
    largest = std::max(largest, std::abs(static_cast<double>(wanted[i])));
  }
  return {"logits", error, 1e-5 * largest};
}

std::vector<Deviation> compare_gradients(const io::HostTensors& got, const io::HostTensors& wanted) {
  double total = 0;
  for (const auto& [name, tensor] : wanted) total = std::hypot(total, norm(io::to_floats(tensor, name)));
  std::vector<Deviation> deviations;
  for (const auto& [name, tensor] : wanted) {
    std::vector<float> reference = io::to_floats(tensor, name), values = io::to_floats(got.at(name), name);
    double sum = 0;
    for (size_t i = 0; i < reference.size(); ++i) {
      double d = static_cast<double>(values[i]) - static_cast<double>(reference[i]);
      sum += d * d;
    }
    deviations.push_back({name, std::sqrt(sum), 1e-4 * norm(reference) + 1e-7 * total});
  }
  return deviations;
}

double ulp(float value) {
  float magnitude = std::abs(value);
  return static_cast<double>(std::nextafter(magnitude, std::numeric_limits<float>::infinity())) -
         static_cast<double>(magnitude);
}

/// The element whose error is largest against its own limit.
Deviation compare_adam(const io::HostTensors& got, const io::HostTensors& wanted, float lr) {
  Deviation worst{"adam1", 0, 1e-4 * static_cast<double>(lr)};
  double worst_ratio = 0;
  for (const auto& [name, tensor] : wanted) {
    std::vector<float> reference = io::to_floats(tensor, name), values = io::to_floats(got.at(name), name);
    for (size_t i = 0; i < reference.size(); ++i) {
      double error = std::abs(static_cast<double>(values[i]) - static_cast<double>(reference[i]));
      double limit = 1e-4 * static_cast<double>(lr) + ulp(reference[i]);
      if (worse(error / limit, worst_ratio) == worst_ratio) continue;
      worst_ratio = error / limit;
      worst = {"adam1", error, limit};
      if (std::isnan(error)) return worst;
    }
  }
  return worst;
}

}  // namespace

bool Verification::ok() const {
  return logits.ok() && loss.ok() && losses.ok() && adam1.ok() &&
         std::all_of(gradients.begin(), gradients.end(), [](const Deviation& gradient) { return gradient.ok(); });
}

Verification verify(Device& device, const io::Bundle& bundle, bool fuse) {
  BundleRun run(device, bundle, fuse);
  Verification result;
  double wanted = static_cast<double>(bundle.loss);
  result.loss = {"loss", std::abs(run.run() - wanted), 1e-5 * std::abs(wanted)};
  result.logits = compare_logits(run.logits(), bundle.logits);
  result.gradients = compare_gradients(run.gradients(), bundle.gradients);

  run.set_gradients(bundle.gradients);
  run.update(0);
  result.adam1 = compare_adam(run.values(), bundle.adam1, bundle.lr);

  run.restart();
  result.losses = {"losses", 0, 1e-4};
  for (size_t step = 0; step < steps; ++step) {
    double reference = static_cast<double>(bundle.losses[step]);
    result.losses.error = worse(std::abs(run.run() - reference) / std::abs(reference), result.losses.error);
    run.update(step);
  }
  return result;
}

}  // namespace vitcl::train
