// vitcl model: what a model is made of and what it takes.
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "vitcl/io/pretrained.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  bool dot = false;
  std::string checkpoint;
};

/// The layers as they are written, a training step as it runs, and with activations computed a second time.
struct Reports {
  nn::GraphReport layers, step, recomputed;
};

void print_table(const Reports& reports, const std::string& name, size_t batch) {
  const auto& [layers, step, recomputed] = reports;
  print("{:<28} {:<13} {:<20} {:>11} {:>9} {:>9} {:>10}\n", "LAYER", "KIND", "OUTPUT", "PARAMETERS", "FORWARD",
        "BACKWARD", "SAVED");
  for (const nn::NodeReport& node : layers.nodes) {
    print("{:<28} {:<13} {:<20} {:>11} {:>9} {:>9} {:>10}\n", node.name, node.kind, node.output.to_string(),
          node.parameters == 0 ? "" : grouped(node.parameters), in_flops(node.forward_flops),
          in_flops(node.backward_flops), node.saved_bytes == 0 ? "" : in_bytes(static_cast<double>(node.saved_bytes)));
  }
  print("\nmodel           {}\n", name);
  print("parameters      {}\n", grouped(layers.parameters));
  print("one step        {} FLOP forward, {} FLOP backward at batch {}\n", in_flops(layers.forward_flops),
        in_flops(layers.backward_flops), batch);
  print("saved           {} from forward to backward\n", in_bytes(static_cast<double>(step.saved_bytes)));
  print("planned memory  {} ({} without reuse)\n", in_bytes(static_cast<double>(step.planned_bytes)),
        in_bytes(static_cast<double>(step.unplanned_bytes)));
  print("--recompute     {}, {} saved, {} FLOP more a step\n", in_bytes(static_cast<double>(recomputed.planned_bytes)),
        in_bytes(static_cast<double>(recomputed.saved_bytes)), in_flops(recomputed.recomputed_flops));
}

void print_json(const Reports& reports, const models::ViTConfig& model, size_t batch) {
  const auto& [plain, step, recomputed] = reports;
  ordered_json layers = ordered_json::array();
  for (const nn::NodeReport& node : plain.nodes) {
    layers.push_back({{"name", node.name},
                      {"kind", node.kind},
                      {"output", node.output.sizes()},
                      {"parameters", node.parameters},
                      {"forward_flops", node.forward_flops},
                      {"backward_flops", node.backward_flops},
                      {"saved_bytes", node.saved_bytes}});
  }
  ordered_json document = {{"config", ordered_json::parse(models::to_json(model))},
                           {"batch_size", batch},
                           {"parameters", plain.parameters},
                           {"forward_flops", plain.forward_flops},
                           {"backward_flops", plain.backward_flops},
                           {"saved_bytes", step.saved_bytes},
                           {"planned_bytes", step.planned_bytes},
                           {"unplanned_bytes", step.unplanned_bytes},
                           {"recompute",
                            {{"saved_bytes", recomputed.saved_bytes},
                             {"planned_bytes", recomputed.planned_bytes},
                             {"flops", recomputed.recomputed_flops}}},
                           {"layers", layers}};
  print("{}\n", document.dump(2));
}

/// The graph in Graphviz's language: a box a layer, an ellipse an input.
void print_dot(const nn::Graph& graph, const nn::GraphReport& report) {
  print("digraph model {{\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n");
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const nn::NodeReport& node = report.nodes[i];
    const std::string parameters =
        node.parameters == 0 ? "" : fmt::format("\\n{} parameters", grouped(node.parameters));
    print("  n{} [label=\"{}\\n{} {}{}\"{}];\n", i, node.name, node.kind, node.output.to_string(), parameters,
          graph.nodes()[i].layer == nullptr ? ", shape=ellipse" : "");
  }
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    for (size_t input : graph.nodes()[i].inputs) print("  n{} -> n{};\n", input, i);
  }
  print("}}\n");
}

/// The device whose kernels decide scratch sizes; a plain one where there is none and none was asked for.
DeviceCaps caps_of(const std::string& selector) {
  const std::vector<DeviceInfo> devices = list_devices();
  if (devices.empty() && selector == "auto") return {};
  return select_device(selector, devices).caps;
}

/// What a file of weights holds, and which of its tensors is which of ours.
int show_weights(const Options& options, size_t heads) {
  const io::Pretrained weights = io::read_pretrained(options.checkpoint, heads);
  const ordered_json config = ordered_json::parse(models::to_json(weights.model));
  std::vector<io::NamePair> names = io::parameter_names(weights.model, weights.dialect);
  std::erase_if(names, [&](const io::NamePair& name) { return !weights.parameters.contains(name.ours); });
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const io::NamePair& name : names)
      list.push_back({{"vitcl", name.ours}, {"file", name.theirs}, {"shape", name.shape.sizes()}});
    const ordered_json document = {{"dialect", io::to_string(weights.dialect)}, {"config", config}, {"tensors", list}};
    print("{}\n", document.dump(2));
    return exit_done;
  }
  print("{:<14} {}{}\n", "dialect", io::to_string(weights.dialect),
        weights.averaged   ? ", the moving average"
        : weights.headless ? ", without a classifier"
                           : "");
  for (const auto& [field, value] : config.items()) print("{:<14} {}\n", field, value.dump());
  print("\n{:<34} {:<58} {}\n", "VITCL", "FILE", "SHAPE");
  for (const io::NamePair& name : names) print("{:<34} {:<58} {}\n", name.ours, name.theirs, name.shape.to_string());
  return exit_done;
}

int run(const Options& options, const std::set<std::string>& from_file) {
  const train::TrainConfig config = options.flags.config(from_file);
  if (!options.checkpoint.empty())
    return show_weights(options, options.flags.given(from_file).contains("heads") ? config.model.heads : 0);
  config.validate();
  const models::ViTConfig model = config.training_model();
  const nn::Graph graph = config.training_graph();
  const DeviceCaps caps = caps_of(config.device);
  const auto report = [&](bool recompute, bool fuse) {
    const nn::PlanOptions plan{
        .mode = nn::Mode::training, .recompute = recompute, .fuse = fuse, .precision = config.precision};
    return nn::report(graph, caps, config.batch_size, plan);
  };
  const Reports reports{report(false, false), report(false, config.fuse), report(true, config.fuse)};
  if (options.dot) {
    print_dot(graph, reports.layers);
  } else if (options.json) {
    print_json(reports, model, config.batch_size);
  } else {
    print_table(reports, config.model_name, config.batch_size);
  }
  return exit_done;
}

}  // namespace

Command add_model(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("model", "Print a model's layers, shapes, parameters, FLOPs and memory");
  using Group = train::OptionGroup;
  options->flags.add(*app, {Group::model, Group::mask});
  options->flags.add(*app, {"batch-size", "smoothing", "drop", "pos-drop", "proj-drop", "attn-drop", "drop-path",
                            "fuse", "precision", "device"});
  app->add_flag("--dot", options->dot, "print the graph for Graphviz: vitcl model --dot | dot -Tsvg > model.svg");
  app->add_option("--checkpoint", options->checkpoint,
                  "print what this safetensors file of weights holds: its dialect, sizes and names; --heads where the "
                  "file does not tell them")
      ->option_text("FILE");
  add_config_file(*app, *options);
  add_json(*app, *options);
  add_quiet(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
