// vitcl verify: a device's results against a reference bundle.
#include "vitcl/train/verify.hpp"

#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "tuning.hpp"
#include "vitcl/io/bundle.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string bundle;
};

ordered_json to_json(const train::Deviation& deviation) {
  return {{"error", deviation.error}, {"limit", deviation.limit}};
}

void print_json(const train::Verification& result, const DeviceInfo& device) {
  ordered_json gradients = ordered_json::object();
  for (const train::Deviation& gradient : result.gradients) gradients[gradient.name] = to_json(gradient);
  ordered_json document = {{"ok", result.ok()},
                           {"device", device.name},
                           {"logits", to_json(result.logits)},
                           {"loss", to_json(result.loss)},
                           {"losses", to_json(result.losses)},
                           {"adam1", to_json(result.adam1)},
                           {"grads", gradients}};
  print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

void print_line(const std::string& name, const train::Deviation& deviation) {
  print("{:<6} {:>10.2e} {:>10.2e}  {}\n", deviation.ok() ? "ok" : "FAILED", deviation.error, deviation.limit, name);
}

void print_table(const train::Verification& result, const DeviceInfo& device) {
  print("{} ({})\n{:<6} {:>10} {:>10}\n", device.name, device.platform, "", "error", "limit");
  print_line("logits", result.logits);
  print_line("loss", result.loss);
  for (const train::Deviation& gradient : result.gradients) print_line("gradient of " + gradient.name, gradient);
  print_line("Adam, one step", result.adam1);
  print_line("losses of five steps (relative)", result.losses);
  print("{}\n", result.ok() ? "ok: everything within its limit" : "FAILED: not everything is within its limit");
}

int run(Options& options, const std::set<std::string>& from_file) {
  const train::TrainConfig config = options.flags.config(from_file);
  const io::Bundle bundle = io::read_bundle(options.bundle);
  const DeviceInfo info = select_device(config.device);
  Device device(info, {.implementations = load_tuning(info, Notes(options.quiet)).names()});
  const train::Verification result = train::verify(device, bundle, config.fuse);
  if (options.json) {
    print_json(result, info);
  } else {
    print_table(result, info);
  }
  return result.ok() ? exit_done : exit_numerics;
}

}  // namespace

Command add_verify(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("verify", "Hold a device's results to a reference bundle of PyTorch's");
  app->add_option("BUNDLE", options->bundle, "safetensors file with parameters, batch and expected results")
      ->required()
      ->option_text(" ");
  options->flags.add(*app, {"device", "fuse"});
  add_json(*app, *options);
  add_quiet(*app, *options);
  add_config_file(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
