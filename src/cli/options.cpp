#include "options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "vitcl/backend/error.hpp"
#include "vitcl/train/nearest_name.hpp"

namespace vitcl::cli {
namespace {

struct EnvironmentOption {
  const char* option;
  const char* variable;
};
constexpr std::array environment_options = {EnvironmentOption{"--device", "VITCL_DEVICE"}};

/// $VITCL_DATA_DIR is one of the places where data is looked for, not --data-dir, which is the only one. It still wins
/// over a file.
bool is_set_by_environment(const std::string& name) {
  const char* folder = name == "data-dir" ? std::getenv("VITCL_DATA_DIR") : nullptr;
  return folder != nullptr && *folder != '\0';
}

void fill(CLI::Option& option, const std::vector<std::string>& values) {
  for (const std::string& value : values) option.add_result(value);
  option.run_callback();
}

/// Options before the sub-command mean the same as behind it.
void inherit(const CLI::App& root, CLI::App& command) {
  for (const CLI::Option* outer : root.get_options()) {
    if (outer->count() == 0 || !outer->get_configurable()) continue;
    CLI::Option* inner = command.get_option_no_throw(outer->get_name());
    if (inner == nullptr) throw CLI::ExtrasError(command.get_name(), {outer->get_name()});
    if (inner->count() == 0) fill(*inner, outer->results());
  }
}

void read_environment(CLI::App& command) {
  for (const EnvironmentOption& entry : environment_options) {
    CLI::Option* option = command.get_option_no_throw(entry.option);
    const char* value = std::getenv(entry.variable);
    if (option != nullptr && option->count() == 0 && value != nullptr && *value != '\0') fill(*option, {value});
  }
}

std::vector<const CLI::App*> commands(const CLI::App& root) {
  return root.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands(app))
    if (!command->get_group().empty()) names.push_back(command->get_name());  // without the programs' own
  return names;
}

void add_option_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
}

/// Throws CLI::ConfigError for a key that the file can't have: `section` is the command whose section it stands in, or
/// null where it stands at the top.
void require_known(const CLI::App& root, const CLI::App* section, const CLI::ConfigItem& item, const std::string& name,
                   const std::string& path) {
  std::vector<std::string> known;
  if (section != nullptr) {
    add_option_names(*section, known);
  } else {
    for (const CLI::App* command : commands(root)) {
      add_option_names(*command, known);
      for (const CLI::App* part : commands(*command)) add_option_names(*part, known);
    }
  }
  const bool elsewhere = section == nullptr && !item.parents.empty();
  if (!elsewhere && std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::optional<std::string> nearest =
      elsewhere ? train::nearest_name(item.parents[0], command_names(root)) : train::nearest_name(name, known);
  throw CLI::ConfigError(fmt::format("--config {}: there is no {} {}{}", path, elsewhere ? "section for" : "option",
                                     item.fullname(), nearest ? "; the nearest is " + *nearest : ""));
}

/// The command whose section of the file, as [train] or [data.preview], an item stands in; null at the top, and in a
/// section of no command.
const CLI::App* section_of(const CLI::App& root, const CLI::ConfigItem& item) {
  const CLI::App* section = &root;
  for (const std::string& name : item.parents) {
    const std::vector<const CLI::App*> inside = commands(*section);
    const auto found = std::ranges::find(inside, name, &CLI::App::get_name);
    if (found == inside.end()) return nullptr;
    section = *found;
  }
  return section == &root ? nullptr : section;
}

/// Keys stand at the top, for every sub-command, or in a section [train], [eval], ... for one.
std::set<std::string> read_file(const CLI::App& root, CLI::App& command, const std::string& path) {
  std::set<std::string> set;
  for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_file(path)) {
    if (item.name == "++" || item.name == "--") continue;  // a section's bounds
    std::string name = item.name;
    std::replace(name.begin(), name.end(), '_', '-');
    const CLI::App* section = section_of(root, item);
    require_known(root, section, item, name, path);
    CLI::Option* option = command.get_option_no_throw("--" + name);
    const bool meant = option != nullptr && (section == nullptr || section == &command);
    if (!meant || option->count() > 0 || is_set_by_environment(name)) continue;
    fill(*option, item.inputs);
    set.insert(name);
  }
  return set;
}

std::string group_title(train::OptionGroup group) {
  switch (group) {
    case train::OptionGroup::model:
      return "Model";
    case train::OptionGroup::mask:
      return "Masking";
    case train::OptionGroup::data:
      return "Data";
    case train::OptionGroup::augmentation:
      return "Augmentation";
    case train::OptionGroup::training:
      return "Training";
    case train::OptionGroup::device:
      break;
  }
  return "Device";
}

}  // namespace

void add_topk(CLI::App& app, size_t& k, const std::string& description) {
  constexpr size_t most_classes = size_t{1} << 20;
  app.add_option("--topk", k, description)
      ->option_text(fmt::format("K [{}]", k))
      ->check(CLI::Range(size_t{1}, most_classes));
}
void add_quiet(CLI::App& app, CommonOptions& options) {
  app.add_flag("--quiet", options.quiet, "no progress, results only");
}
void add_profile(CLI::App& app, CommonOptions& options) {
  app.add_flag("--profile", options.profile, "time every kernel and print a table at the end");
}
void add_json(CLI::App& app, CommonOptions& options) { app.add_flag("--json", options.json, "print JSON"); }
void add_config_file(CLI::App& app, CommonOptions& options) {
  app.add_option("--config", options.config_file,
                 "TOML file with options by their long names; flags and the environment win over it")
      ->option_text("FILE")
      ->take_last();
}

double seconds_of(std::string_view option, const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  constexpr double minute = 60, hour = 3600;
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? minute : unit == "h" ? hour : 0;
  if (error != std::errc() || !(number * factor > 0)) {
    throw UsageError(fmt::format("{}: got \"{}\", want a time above 0, as in 60s or 5m", option, text));
  }
  return number * factor;
}

void ConfigFlags::add(CLI::App& app, const train::ConfigOption& option) {
  train::TrainConfig defaults;
  std::string name(option.name), initial = train::get_option(defaults, option);
  if (initial == "true" || initial == "false") initial = initial == "true" ? "on" : "off";
  std::string shown = train::accepted_values(option) + (initial.empty() ? "" : " [" + initial + "]");
  options_[name] = app.add_option("--" + name, texts_[name], std::string(option.help))
                       ->option_text(shown)
                       ->group(group_title(option.group))
                       ->take_last();
  const bool is_switch = std::holds_alternative<bool*>(option.value(defaults));
  if (is_switch) options_[name]->expected(0, 1)->default_str("on");  // what it means by itself
}

void ConfigFlags::add(CLI::App& app, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) add(app, train::config_option(name));
}

void ConfigFlags::add(CLI::App& app, std::initializer_list<train::OptionGroup> groups) {
  for (train::OptionGroup group : groups) {
    for (const train::ConfigOption& option : train::config_options()) {
      if (option.group == group) add(app, option);
    }
  }
}

train::OptionTexts ConfigFlags::collect(const std::set<std::string>& from_file, bool in_file) const {
  train::OptionTexts texts;
  for (const auto& [name, option] : options_) {
    if (option->count() > 0 && from_file.contains(name) == in_file) texts[name] = texts_.at(name);
  }
  return texts;
}

train::OptionTexts ConfigFlags::given(const std::set<std::string>& from_file) const {
  return collect(from_file, false);
}

std::set<std::string> ConfigFlags::named() const {
  std::set<std::string> names;
  for (const auto& [name, option] : options_) {
    if (option->count() > 0) names.insert(name);
  }
  return names;
}

train::TrainConfig ConfigFlags::config(const std::set<std::string>& from_file) const {
  train::TrainConfig config;
  apply_options(config, collect(from_file, true));
  apply_options(config, given(from_file));
  return config;
}

std::string correction(const CLI::App& root) {
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  std::vector<std::string> options;
  add_option_names(*command, options);
  for (const std::string& word : root.remaining(true)) {
    const bool is_option = word.starts_with('-');
    const size_t first = std::min(word.find_first_not_of('-'), word.size());
    const std::string name = word.substr(first, word.find('=') - first);
    const std::optional<std::string> nearest = train::nearest_name(name, is_option ? options : command_names(*command));
    if (nearest) return fmt::format("did you mean {}{}? ", is_option ? "--" : "", *nearest);
  }
  return "";
}

std::set<std::string> complete_options(CLI::App& root, CLI::App& command) {
  inherit(root, command);
  read_environment(command);
  CLI::Option* file = command.get_option_no_throw("--config");
  if (file == nullptr || file->count() == 0) return {};
  return read_file(root, command, file->as<std::string>());
}

}  // namespace vitcl::cli
