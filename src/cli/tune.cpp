// vitcl tune: measures which implementation of each op is the fastest for a model on a device.
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "device_report.hpp"
#include "options.hpp"
#include "tuning.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string budget = "60s", time_limit = "20s";
};

void print_table(const train::TuningReport& report, const Options& options, const TuningStore& store) {
  print("{:<11} {:<20} {:>7}  {:<12} {:>12} {:>8}  {:<12} {:>12}\n", "OP", "SHAPE", "SHARE", "FASTEST", "TIME",
        "GFLOP/S", "SHIPPED", "TIME");
  for (const train::TunedChoice& choice : report.tuned) {
    const TuningRecord& record = choice.record;
    const std::string shipped =
        choice.shipped_microseconds > 0 ? fmt::format("{:.1f} us", choice.shipped_microseconds) : "failed";
    print("{:<11} {:<20} {:>5.1f} %  {:<12} {:>9.1f} us {:>8.1f}  {:<12} {:>12}\n", record.key.op, record.key.shape,
          100 * choice.share, record.implementation, record.microseconds, record.gflops, choice.shipped, shipped);
  }
  print("\n");
  for (const train::LeftOut& candidate : report.left_out) {
    print("left out     {} {} at {}: {}\n", candidate.key.op, candidate.implementation, candidate.key.shape,
          candidate.reason);
  }
  if (report.not_reached > 0) {
    print("not reached  {} choices, when the budget of {} was used up\n", report.not_reached, options.budget);
  }
  print("saved        {} choices in {}\n", report.tuned.size(), store.file().string());
}

void print_json(const train::TuningReport& report, const DeviceInfo& device, const TuningStore& store) {
  ordered_json tuned = ordered_json::array(), left_out = ordered_json::array();
  for (const train::TunedChoice& choice : report.tuned) {
    const TuningRecord& record = choice.record;
    tuned.push_back({{"op", record.key.op},
                     {"shape", record.key.shape},
                     {"share", choice.share},
                     {"implementation", record.implementation},
                     {"microseconds", record.microseconds},
                     {"gflops", record.gflops},
                     {"shipped", choice.shipped},
                     {"shipped_microseconds", choice.shipped_microseconds}});
  }
  for (const train::LeftOut& candidate : report.left_out) {
    left_out.push_back({{"op", candidate.key.op},
                        {"shape", candidate.key.shape},
                        {"implementation", candidate.implementation},
                        {"reason", candidate.reason}});
  }
  const ordered_json document = {{"device", device.name},
                                 {"file", store.file().string()},
                                 {"tuned", tuned},
                                 {"left_out", left_out},
                                 {"not_reached", report.not_reached}};
  print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

int run(const Options& options, const std::set<std::string>& from_file) {
  const train::TrainConfig config = options.flags.config(from_file);
  config.validate();
  const double budget = seconds_of("--budget", options.budget);
  const double limit = seconds_of("--time-limit", options.time_limit);
  const DeviceInfo device = select_device(config.device);
  const TuningStore store;
  const Notes note(options.quiet);
  note("device  {}", describe(device));
  load_tuning(device, note);
  train::TunerOptions tuner = tuner_options(device);
  tuner.budget_seconds = budget;
  tuner.candidate_seconds = limit;
  TuningView view(note);
  const train::TuningReport report = train::tune(device, train::step_choices(device, config), store, tuner, view);
  if (options.json) {
    print_json(report, device, store);
  } else {
    print_table(report, options, store);
  }
  if (!report.tuned.empty() || report.left_out.empty() || report.not_reached > 0) return exit_done;
  throw DeviceError(fmt::format("no candidate of any op gave a right result on {}", device.name));
}

struct CandidateOptions {
  ConfigFlags flags;
  OpShape key;
  std::string implementation;
};

int run_candidate(const CandidateOptions& options) {
  // Should the process that started this one be gone, a candidate that hangs shall not stay behind.
  constexpr unsigned longest = 600;
  alarm(longest);
  const DeviceInfo device = select_device(options.flags.config({}).device);
  print("{}\n", train::to_json(train::measure_candidate(device, options.key, options.implementation)));
  return exit_done;
}

}  // namespace

Command add_tune(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("tune", "Measure which implementation of each op is the fastest on a device");
  using Group = train::OptionGroup;
  options->flags.add(*app, {Group::model, Group::mask});
  options->flags.add(*app, {"batch-size", "pos-drop", "proj-drop", "attn-drop", "drop-path", "fuse", "device"});
  app->add_option("--budget", options->budget, "time to spend; the largest shares of a step come first")
      ->option_text("TIME [60s]")
      ->take_last();
  app->add_option("--time-limit", options->time_limit, "a candidate that takes longer is left out")
      ->option_text("TIME [20s]")
      ->take_last();
  add_config_file(*app, *options);
  add_json(*app, *options);
  add_quiet(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

/// Not for users: `vitcl tune` starts it, so that a candidate that crashes or hangs takes nothing with it.
Command add_tune_candidate(CLI::App& root) {
  auto options = std::make_shared<CandidateOptions>();
  CLI::App* app = root.add_subcommand("tune-candidate", "Measure one implementation of an op")->group("");
  app->add_option("OP", options->key.op)->required();
  app->add_option("SHAPE", options->key.shape)->required();
  app->add_option("IMPLEMENTATION", options->implementation)->required();
  options->flags.add(*app, {"device"});
  return {app, [options] { return run_candidate(*options); }};
}

}  // namespace vitcl::cli
