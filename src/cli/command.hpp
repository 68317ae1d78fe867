#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace vitcl::cli {

/// The exit codes; other programs rely on them.
enum ExitCode {
  exit_done = 0,
  exit_usage = 2,
  exit_data = 3,
  exit_device = 4,
  exit_numerics = 5,
  exit_storage = 6,
  exit_interrupted = 130,
};

/// A sub-command: its part of the grammar and what it does once its options are set.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command add_bench(CLI::App& root);
Command add_bench_device(CLI::App& root);
Command add_devices(CLI::App& root);
Command add_check_driver(CLI::App& root);
Command add_measure_training(CLI::App& root);
Command add_doctor(CLI::App& root);
Command add_doctor_device(CLI::App& root);
Command add_train(CLI::App& root);
/// Sub-commands of `data`.
Command add_data_fetch(CLI::App& root, CLI::App& data);
Command add_data_preview(CLI::App& root, CLI::App& data);
Command add_eval(CLI::App& root);
Command add_predict(CLI::App& root);
Command add_tune(CLI::App& root);
Command add_tune_candidate(CLI::App& root);
Command add_verify(CLI::App& root);
Command add_model(CLI::App& root);
Command add_export(CLI::App& root);

}  // namespace vitcl::cli
