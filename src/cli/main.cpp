#include <filesystem>
#include <memory>
#include <new>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/train/run_folder.hpp"

namespace vitcl::cli {
namespace {

constexpr const char* description =
    "vitcl trains Vision Transformers on any OpenCL device.\n"
    "`vitcl COMMAND --help` tells more about a command.";
constexpr const char* exit_codes =
    "Environment: VITCL_DEVICE (as --device), VITCL_DATA_DIR (where data is looked for), NO_COLOR.\n"
    "Exit codes: 0 done, 2 usage, 3 data, 4 device, 5 numbers, 6 checkpoint or disk, 130 interrupted after saving.";

/// Options say by themselves what they take, and their descriptions what does not go with them.
class HelpFormatter : public CLI::Formatter {
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string& text = option->get_option_text();
    return text.empty() ? "" : " " + text;
  }
};

/// Options that may stand before the sub-command; complete_options() hands them on.
struct LeadingOptions {
  std::string device, config_file;
  bool quiet = false, profile = false;

  void add(CLI::App& root) {
    root.add_option("--device", device, "device to use; see `vitcl devices`")->option_text("DEVICE");
    root.add_option("--config", config_file, "TOML file with options by their long names")->option_text("FILE");
    root.add_flag("--quiet", quiet, "no progress, results only");
    root.add_flag("--profile", profile, "time every kernel and print a table at the end");
  }
};

int run(int argc, char** argv) {
  CLI::App root(description, "vitcl");
  root.formatter(std::make_shared<HelpFormatter>());
  LeadingOptions leading;
  leading.add(root);
  root.set_version_flag("--version", std::string("vitcl ") + train::version());
  root.require_subcommand(1);
  root.footer(exit_codes);
  CLI::App* data = root.add_subcommand("data", "Fetch data sets and look at them");
  data->require_subcommand(1);
  const std::vector<Command> commands = {add_devices(root),
                                         add_train(root),
                                         add_eval(root),
                                         add_predict(root),
                                         add_verify(root),
                                         add_model(root),
                                         add_tune(root),
                                         add_tune_candidate(root),
                                         add_check_driver(root),
                                         add_measure_training(root),
                                         add_bench(root),
                                         add_bench_device(root),
                                         add_doctor(root),
                                         add_doctor_device(root),
                                         add_data_fetch(root, *data),
                                         add_data_preview(root, *data),
                                         add_export(root)};
  try {
    root.parse(argc, argv);
    for (const Command& command : commands) {
      if (command.app->parsed()) return command.run();
    }
    return exit_usage;
  } catch (const CLI::Success& answer) {  // --help, --version
    return root.exit(answer);
  } catch (const CLI::ParseError& error) {
    print_error(fmt::format("{}; {}`vitcl --help` lists the commands, `vitcl COMMAND --help` their options",
                            error.what(), correction(root)));
    return exit_usage;
  }
}

int guarded_run(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const UsageError& error) {
    print_error(error.what());
    return exit_usage;
  } catch (const DataError& error) {
    print_error(error.what());
    return exit_data;
  } catch (const DeviceError& error) {
    print_error(error.what());
    return exit_device;
  } catch (const NumericsError& error) {
    print_error(error.what());
    return exit_numerics;
  } catch (const StorageError& error) {
    print_error(error.what());
    return exit_storage;
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(error.what());
    return exit_storage;
  } catch (const std::bad_alloc&) {
    print_error("this machine has not enough memory; use a smaller batch or model");
    return exit_device;
  } catch (const std::exception& error) {
    print_error(fmt::format("internal error: {}", error.what()));
    return exit_device;
  }
}

}  // namespace
}  // namespace vitcl::cli

int main(int argc, char** argv) { return vitcl::cli::guarded_run(argc, argv); }
