// vitcl export: weights under another program's names.
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "vitcl/io/onnx.hpp"
#include "vitcl/io/pretrained.hpp"

namespace vitcl::cli {
namespace {

/// ONNX is the one that is no dialect.
const std::map<std::string, std::optional<io::Dialect>> formats{{"article", io::Dialect::article},
                                                                {"timm", io::Dialect::timm},
                                                                {"hf", io::Dialect::hugging_face},
                                                                {"torchvision", io::Dialect::torchvision},
                                                                {"onnx", std::nullopt}};

struct Options : CommonOptions {
  std::string checkpoint, format, output;
  size_t heads = 0;
};

int run(const Options& options) {
  const io::Pretrained weights = io::read_pretrained(options.checkpoint, options.heads);
  const std::optional<io::Dialect> dialect = formats.at(options.format);
  if (dialect)
    io::write_pretrained(options.output, *dialect, weights);
  else
    io::write_onnx(options.output, weights);
  Notes(options.quiet)("{}: {}from {} to {}", options.output, weights.averaged ? "the moving average, " : "",
                       io::to_string(weights.dialect), dialect ? io::to_string(*dialect) : "ONNX");
  return exit_done;
}

}  // namespace

Command add_export(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("export", "Write a model's weights for another program");
  app->add_option("checkpoint", options->checkpoint,
                  "a checkpoint of vitcl, or weights of the article's code, timm, Hugging Face or torchvision")
      ->required();
  app->add_option("--format", options->format, "article, timm, hf (with a config.json beside it), torchvision or onnx")
      ->required()
      ->check(CLI::IsMember(formats));
  app->add_option("--output", options->output, "file to write")->required()->option_text("FILE");
  app->add_option("--heads", options->heads, "attention heads, where the file does not tell them")
      ->check(CLI::PositiveNumber);
  add_quiet(*app, *options);
  return {app, [options, app, &root] {
            complete_options(root, *app);
            return run(*options);
          }};
}

}  // namespace vitcl::cli
