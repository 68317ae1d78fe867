#pragma once

#include <CLI/CLI.hpp>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "vitcl/train/config.hpp"

namespace vitcl::cli {

/// What every sub-command that does work understands beside its own options.
struct CommonOptions {
  bool quiet = false;
  bool profile = false;
  bool json = false;
  std::string config_file;
};
void add_quiet(CLI::App& app, CommonOptions& options);
void add_profile(CLI::App& app, CommonOptions& options);
void add_json(CLI::App& app, CommonOptions& options);
/// --topk: how many of the most probable classes.
void add_topk(CLI::App& app, size_t& k, const std::string& description);
void add_config_file(CLI::App& app, CommonOptions& options);

/// "90", "90s", "2m" or "1h" in seconds. Throws UsageError naming the option.
double seconds_of(std::string_view option, const std::string& text);

/// The options of a train::TrainConfig as flags of a sub-command.
class ConfigFlags {
 public:
  void add(CLI::App& app, std::initializer_list<std::string_view> names);
  void add(CLI::App& app, std::initializer_list<train::OptionGroup> groups);

  /// The options set on the command line or by the environment; those in `from_file` are left out.
  train::OptionTexts given(const std::set<std::string>& from_file) const;
  /// The names of all options that were set, wherever.
  std::set<std::string> named() const;
  /// Defaults, overlaid by what came from the file, overlaid by the rest. Not validated.
  train::TrainConfig config(const std::set<std::string>& from_file) const;

 private:
  void add(CLI::App& app, const train::ConfigOption& option);
  train::OptionTexts collect(const std::set<std::string>& from_file, bool in_file) const;
  std::map<std::string, std::string> texts_;
  std::map<std::string, CLI::Option*> options_;
};

/// Completes what the sub-command's own flags left open: options that stand before the sub-command, then environment
/// variables, then the file that --config names. CLI11 2.1.2 by itself lets the file beat the environment, so that it
/// is told of neither. Returns the names of the options that came from the file. Throws CLI::ParseError for a file that
/// can't be read or holds a key that no sub-command knows, or in a sub-command's section one that this does not know.
std::set<std::string> complete_options(CLI::App& root, CLI::App& command);

/// "did you mean --epochs? " for the first word that parsing the command line has left over and that is near an option
/// or command; empty where there is none.
std::string correction(const CLI::App& root);

}  // namespace vitcl::cli
