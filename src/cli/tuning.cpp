#include "tuning.hpp"

#include <algorithm>
#include <set>

namespace vitcl::cli {
namespace {

/// The choices for which the tuner has found nothing yet.
std::vector<train::StepChoice> unknown_choices(std::vector<train::StepChoice> choices,
                                               const std::vector<TuningRecord>& records) {
  std::set<OpShape> known;
  for (const TuningRecord& record : records) known.insert(record.key);
  std::erase_if(choices, [&](const train::StepChoice& choice) { return known.contains(choice.key); });
  return choices;
}

}  // namespace

TuningStore::Loaded load_tuning(const DeviceInfo& device, const Notes& note) {
  const TuningStore store;
  TuningStore::Loaded loaded = store.load(device);
  if (!loaded.ignored.empty()) note("tuning  ignored in {}: {}", store.file().string(), loaded.ignored);
  return loaded;
}

ImplementationNames wanted_implementations(const DeviceInfo& device, const train::TrainConfig& config,
                                           const Notes& note) {
  if (config.tune == train::TuneMode::off) return {};
  const TuningStore store;
  TuningStore::Loaded loaded = load_tuning(device, note);
  if (config.tune == train::TuneMode::search) {
    TuningView view(note);
    train::tune(device, unknown_choices(train::step_choices(device, config), loaded.records), store,
                tuner_options(device), view);
    loaded = store.load(device);
  }
  return loaded.names();
}

train::TunerOptions tuner_options(const DeviceInfo& device) {
  return {.command = {"/proc/self/exe", "tune-candidate", "--device", device.selector()}};
}

void TuningView::clear() const {
  if (terminal_) fmt::print(stderr, "\r\x1b[K");
}

void TuningView::on_start(const train::StepChoice& choice) {
  if (!terminal_) return;
  fmt::print(stderr, "\rmeasuring {} {}\x1b[K", choice.key.op, choice.key.shape);
  std::fflush(stderr);
}

void TuningView::on_tuned(const train::TunedChoice& choice) {
  clear();
  if (terminal_) return;  // there the table at the end is enough
  const TuningRecord& record = choice.record;
  note_("tuned   {:<11} {:<20} {:<12} {:>10.1f} us {:>8.1f} GFLOP/s", record.key.op, record.key.shape,
        record.implementation, record.microseconds, record.gflops);
}

void TuningView::on_left_out(const train::LeftOut& candidate) {
  clear();
  note_("left out {} {} at {}: {}", candidate.key.op, candidate.implementation, candidate.key.shape, candidate.reason);
}

}  // namespace vitcl::cli
