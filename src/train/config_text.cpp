// Options as text: what a flag, an environment variable or a line of a configuration file says.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <sstream>
#include <type_traits>
#include <utility>

#include "vitcl/backend/error.hpp"
#include "vitcl/train/augmentation.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {
namespace {

template <class E>
using Name = std::pair<E, std::string_view>;

template <class E>
constexpr int names = 0;
template <>
constexpr auto names<models::Stem> = std::to_array<Name<models::Stem>>({{models::Stem::patches, "patches"},
                                                                        {models::Stem::convolutions, "convolutions"}});
template <>
constexpr auto names<models::Pool> = std::to_array<Name<models::Pool>>({{models::Pool::cls, "cls"},
                                                                        {models::Pool::mean, "mean"}});
template <>
constexpr auto names<models::Head> = std::to_array<Name<models::Head>>({{models::Head::linear, "linear"},
                                                                        {models::Head::mlp, "mlp"}});
template <>
constexpr auto names<models::AttentionScale> = std::to_array<Name<models::AttentionScale>>(
    {{models::AttentionScale::dim, "dim"}, {models::AttentionScale::head_dim, "head_dim"}});
template <>
constexpr auto names<models::Position> = std::to_array<Name<models::Position>>({{models::Position::learned, "learned"},
                                                                                {models::Position::sincos, "sincos"}});
template <>
constexpr auto names<Padding> = std::to_array<Name<Padding>>({{Padding::automatic, "auto"}, {Padding::error, "error"}});
template <>
constexpr auto names<nn::Precision> = std::to_array<Name<nn::Precision>>({{nn::Precision::float32, "float32"},
                                                                          {nn::Precision::mixed, "mixed"}});
template <>
constexpr auto names<TuneMode> =
    std::to_array<Name<TuneMode>>({{TuneMode::off, "off"}, {TuneMode::load, "load"}, {TuneMode::search, "search"}});
template <>
constexpr auto names<AugmentPreset> = std::to_array<Name<AugmentPreset>>({{AugmentPreset::none, "none"},
                                                                          {AugmentPreset::usual, "default"}});

template <>
constexpr auto names<Opt> = std::to_array<Name<Opt>>(
    {{Opt::adam, "adam"}, {Opt::adamw, "adamw"}, {Opt::sgd, "sgd"}, {Opt::momentum, "momentum"}});
template <>
constexpr auto names<Sched> = std::to_array<Name<Sched>>(
    {{Sched::constant, "constant"}, {Sched::cosine, "cosine"}, {Sched::step, "step"}, {Sched::plateau, "plateau"}});

template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;

template <class E>
std::string joined_names(std::string_view separator) {
  std::string all;
  for (const auto& [value, name] : names<E>) all += fmt::format("{}{}", all.empty() ? "" : separator, name);
  return all;
}

[[noreturn]] void refuse(std::string_view option, const std::string& text, std::string_view wanted) {
  throw UsageError(fmt::format("--{}: got \"{}\", want {}", option, text, wanted));
}

template <class T>
T parse_number(std::string_view option, const std::string& text, std::string_view wanted) {
  T value{};
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || text.empty()) refuse(option, text, wanted);
  return value;
}

void parse(std::string_view option, const std::string& text, size_t& value) {
  value = parse_number<size_t>(option, text, "a whole number, 0 or more");
}
void parse(std::string_view option, const std::string& text, double& value) {
  value = parse_number<double>(option, text, "a number");
}
void parse(std::string_view option, const std::string& text, float& value) {
  value = parse_number<float>(option, text, "a number");
}
void parse(std::string_view option, const std::string& text, bool& value) {
  if (text == "on" || text == "true" || text == "1") {
    value = true;
  } else if (text == "off" || text == "false" || text == "0") {
    value = false;
  } else {
    refuse(option, text, "on or off");
  }
}
void parse(std::string_view, const std::string& text, std::string& value) { value = text; }
template <class E>
requires std::is_enum_v<E>
void parse(std::string_view option, const std::string& text, E& value) {
  for (const auto& [candidate, name] : names<E>) {
    if (name == text) {
      value = candidate;
      return;
    }
  }
  refuse(option, text, joined_names<E>(" or "));
}

/// Parts between commas; none in an empty text.
template <class T>
void parse(std::string_view option, const std::string& text, std::vector<T>& values) {
  values.clear();
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) parse(option, part, values.emplace_back());
}

template <class T>
std::string format(const T& value) {
  if constexpr (is_list<T>) {
    return fmt::format("{}", fmt::join(value, ","));
  } else if constexpr (std::is_enum_v<T>) {
    for (const auto& [candidate, name] : names<T>) {
      if (candidate == value) return std::string(name);
    }
    return "";
  } else {
    return fmt::format("{}", value);
  }
}

template <class T>
std::string accepted(const T*) {
  if constexpr (std::is_enum_v<T>) {
    return joined_names<T>("|");
  } else if constexpr (std::is_same_v<T, bool>) {
    return "on|off";
  } else if constexpr (std::is_same_v<T, size_t>) {
    return "N";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "TEXT";
  } else if constexpr (is_list<T>) {
    return std::is_same_v<T, std::vector<std::string>> ? "TEXT,TEXT..." : "X,X...";
  } else {
    return "X";
  }
}

bool is_quoted(const OptionValue& value) {
  return !std::holds_alternative<size_t*>(value) && !std::holds_alternative<double*>(value) &&
         !std::holds_alternative<float*>(value) && !std::holds_alternative<bool*>(value);
}

void set(TrainConfig& config, const ConfigOption& option, const std::string& text) {
  const std::string recipe = config.recipe;
  std::visit([&](auto* value) { parse(option.name, text, *value); }, option.value(config));
  if (option.name == "recipe" && text != recipe) {
    apply_recipe(config, text);
  } else if (option.name == "model") {
    config.model = models::preset(text);
  } else if (option.name == "augment") {
    config.augmentation =
        config.augment == AugmentPreset::usual ? usual_augmentation(config.data) : ops::AugmentOptions{};
  } else if (option.name == "data" && config.augment == AugmentPreset::usual) {
    config.augmentation = usual_augmentation(config.data);
  } else if (option.name == "pool") {
    config.model.class_token = config.model.pool == models::Pool::cls;
  }
}

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string toml_line(TrainConfig config, const ConfigOption& option) {
  const std::string value = get_option(config, option);
  return fmt::format("{} = {}\n", option.name, is_quoted(option.value(config)) ? quote(value) : value);
}

std::string trim(const std::string& text) {
  size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Undoes quote(); false where the closing quote is missing.
bool unquote(std::string& text) {
  if (text.size() < 2 || text.front() != '"') return text.empty() || text.front() != '"';
  std::string plain;
  size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  if (i + 1 != text.size()) return false;
  text = plain;
  return true;
}

}  // namespace

std::string get_option(const TrainConfig& config, const ConfigOption& option) {
  TrainConfig copy = config;
  return std::visit([](auto* value) { return format(*value); }, option.value(copy));
}

std::string accepted_values(const ConfigOption& option) {
  TrainConfig config;
  return std::visit([](auto* value) { return accepted(value); }, option.value(config));
}

void apply_options(TrainConfig& config, const OptionTexts& texts) {
  for (const auto& [name, text] : texts) config_option(name);
  // The table has `recipe` and `model` first, and `pool` before `class-token`.
  for (const ConfigOption& option : config_options()) {
    if (auto text = texts.find(std::string(option.name)); text != texts.end()) set(config, option, text->second);
  }
}

std::string to_toml(const TrainConfig& config) {
  std::string text = "# Everything that decides this run; `vitcl train --config` reads it too.\n";
  for (const ConfigOption& option : config_options()) text += toml_line(config, option);
  return text;
}

std::string lasting_options(const TrainConfig& config) {
  std::string text;
  for (const ConfigOption& option : config_options()) {
    if (!option.changeable && option.group != OptionGroup::device) text += toml_line(config, option);
  }
  return text;
}

TrainConfig config_from_toml(const std::string& text, const std::string& source) {
  OptionTexts texts;
  std::istringstream lines(text);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    size_t equals = line.find('=');
    std::string value = equals == std::string::npos ? "" : trim(line.substr(equals + 1));
    if (equals == std::string::npos || value.empty() || !unquote(value)) {
      throw StorageError(fmt::format("{}:{}: \"{}\" is not a line `name = value`", source, number, line));
    }
    texts[trim(line.substr(0, equals))] = value;
  }
  TrainConfig config;
  try {
    apply_options(config, texts);
    config.validate();
  } catch (const UsageError& error) {
    throw StorageError(fmt::format("{}: {}", source, error.what()));
  }
  return config;
}

}  // namespace vitcl::train
