#include "vitcl/train/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/checksums.hpp"
#include "vitcl/io/parameter_names.hpp"
#include "vitcl/io/safetensors.hpp"
#include "vitcl/train/run_folder.hpp"

namespace vitcl::train {
namespace {

using nlohmann::json;
using Metadata = std::map<std::string, std::string>;

constexpr std::string_view exp_avg_prefix = "optimizer.exp_avg.";
constexpr std::string_view exp_avg_sq_prefix = "optimizer.exp_avg_sq.";
constexpr std::string_view average_prefix = "optimizer.ema.";

void add_tensors(const models::ViTConfig& model, std::string_view prefix, const nn::NamedTensors& values,
                 io::HostTensors& tensors) {
  for (auto& [name, tensor] : io::export_parameters(model, io::Dialect::article, values)) {
    tensors[std::string(prefix) + name] = tensor;
  }
}

/// Moves the tensors whose names start with `prefix` out of `tensors`, without it.
io::HostTensors take_tensors(std::string_view prefix, io::HostTensors& tensors) {
  io::HostTensors taken;
  for (auto i = tensors.lower_bound(std::string(prefix)); i != tensors.end() && i->first.starts_with(prefix);) {
    taken[i->first.substr(prefix.size())] = std::move(i->second);
    i = tensors.erase(i);
  }
  return taken;
}

Metadata describe(const Checkpoint& checkpoint) {
  const Position& position = checkpoint.position;
  json pixel_statistics = {{"mean", checkpoint.pixel_statistics.mean},
                           {"deviation", checkpoint.pixel_statistics.deviation}};
  return {{"format", "pt"},
          {"vitcl", version()},
          {"model", models::to_json(checkpoint.model)},
          {"pixel_statistics", pixel_statistics.dump()},
          {"patch_mask", checkpoint.patch_mask},
          {"class_names", json(checkpoint.class_names).dump()},
          {"data", checkpoint.data},
          {"data_fingerprint", checkpoint.data_fingerprint},
          {"device", checkpoint.device},
          {"border_brightness", json(checkpoint.border_brightness).dump()},
          {"config", checkpoint.config},
          {"seed", json(checkpoint.seed).dump()},
          {"batch_size", json(checkpoint.batch_size).dump()},
          {"lr", json(checkpoint.lr).dump()},
          {"step", json(position.step).dump()},
          {"epoch", json(position.epochs).dump()},
          {"epoch_loss", json(position.epoch_loss).dump()},
          {"best_accuracy", json(position.best_accuracy).dump()},
          {"best_epoch", json(position.best_epoch).dump()},
          {"lr_reductions", json(position.reductions).dump()},
          {"lr_reduced_epoch", json(position.reduced_epoch).dump()}};
}

const std::string& entry(const Metadata& metadata, const std::string& name) {
  auto found = metadata.find(name);
  if (found == metadata.end()) {
    throw StorageError(fmt::format("its metadata has no \"{}\": it is not a checkpoint of vitcl", name));
  }
  return found->second;
}

/// An entry that holds JSON, decoded by `read`.
template <class Read>
void read_json(const Metadata& metadata, const std::string& name, const Read& read) {
  try {
    read(json::parse(entry(metadata, name)));
  } catch (const json::exception& error) {
    throw StorageError(fmt::format("its metadata's \"{}\" is malformed: {}", name, error.what()));
  }
}

template <class T>
T number(const Metadata& metadata, const std::string& name) {
  T value{};
  read_json(metadata, name, [&](const json& number) { number.get_to(value); });
  return value;
}

/// 0 where there is no such entry: version 0.1 of the files lacked some.
size_t count_or_zero(const Metadata& metadata, const std::string& name) {
  return metadata.contains(name) ? number<size_t>(metadata, name) : 0;
}

PixelStatistics read_pixel_statistics(const Metadata& metadata, size_t channels) {
  PixelStatistics statistics;
  read_json(metadata, "pixel_statistics", [&](const json& object) {
    object.at("mean").get_to(statistics.mean);
    object.at("deviation").get_to(statistics.deviation);
  });
  if (statistics.mean.size() != channels || statistics.deviation.size() != channels) {
    throw StorageError(fmt::format("its metadata's \"pixel_statistics\" is not of {} channels", channels));
  }
  const auto& deviation = statistics.deviation;
  if (std::any_of(deviation.begin(), deviation.end(), [](float value) { return !(value > 0); })) {
    throw StorageError("its metadata's \"pixel_statistics\" has a deviation that is not above 0");
  }
  return statistics;
}

Checkpoint read_metadata(const Metadata& metadata) {
  Checkpoint checkpoint;
  checkpoint.model = models::vit_config_from_json(entry(metadata, "model"));
  checkpoint.pixel_statistics = read_pixel_statistics(metadata, checkpoint.model.channels);
  read_json(metadata, "class_names", [&](const json& names) { names.get_to(checkpoint.class_names); });
  checkpoint.patch_mask = entry(metadata, "patch_mask");
  checkpoint.data = entry(metadata, "data");
  checkpoint.data_fingerprint = entry(metadata, "data_fingerprint");
  checkpoint.device = entry(metadata, "device");
  if (metadata.contains("border_brightness"))
    checkpoint.border_brightness = number<double>(metadata, "border_brightness");
  if (const auto config = metadata.find("config"); config != metadata.end()) checkpoint.config = config->second;
  checkpoint.seed = number<size_t>(metadata, "seed");
  checkpoint.batch_size = number<size_t>(metadata, "batch_size");
  checkpoint.lr = number<double>(metadata, "lr");
  checkpoint.position = {.step = number<size_t>(metadata, "step"),
                         .epochs = number<size_t>(metadata, "epoch"),
                         .epoch_loss = number<double>(metadata, "epoch_loss"),
                         .best_accuracy = number<double>(metadata, "best_accuracy"),
                         .best_epoch = number<size_t>(metadata, "best_epoch"),
                         .reductions = count_or_zero(metadata, "lr_reductions"),
                         .reduced_epoch = count_or_zero(metadata, "lr_reduced_epoch")};
  return checkpoint;
}

/// Throws E where a value is not finite.
template <class E>
void require_finite(const Checkpoint& checkpoint, const std::string& what) {
  try {
    io::require_finite(checkpoint.parameters, what);
    io::require_finite(checkpoint.exp_avg, what + ", Adam's first moment");
    io::require_finite(checkpoint.exp_avg_sq, what + ", Adam's second moment");
    io::require_finite(checkpoint.average, what + ", the average");
  } catch (const StorageError& error) {
    throw E(error.what());
  }
}

}  // namespace

void save_checkpoint(const std::vector<std::filesystem::path>& paths, const Checkpoint& checkpoint) {
  require_finite<NumericsError>(checkpoint, "the state at step " + std::to_string(checkpoint.position.step));
  io::SafeTensors file;
  file.metadata = describe(checkpoint);
  add_tensors(checkpoint.model, "", checkpoint.parameters, file.tensors);
  add_tensors(checkpoint.model, exp_avg_prefix, checkpoint.exp_avg, file.tensors);
  add_tensors(checkpoint.model, exp_avg_sq_prefix, checkpoint.exp_avg_sq, file.tensors);
  if (!checkpoint.average.empty()) add_tensors(checkpoint.model, average_prefix, checkpoint.average, file.tensors);
  io::add_checksums(file);
  for (const std::filesystem::path& path : paths) io::write_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  io::SafeTensors file = io::read_safetensors(path);
  Checkpoint checkpoint;
  try {
    io::verify_checksums(file);
    checkpoint = read_metadata(file.metadata);
    auto import = [&](const io::HostTensors& tensors) {
      return io::import_parameters(checkpoint.model, io::Dialect::article, tensors);
    };
    checkpoint.exp_avg = import(take_tensors(exp_avg_prefix, file.tensors));
    checkpoint.exp_avg_sq = import(take_tensors(exp_avg_sq_prefix, file.tensors));
    const io::HostTensors average = take_tensors(average_prefix, file.tensors);
    if (!average.empty()) checkpoint.average = import(average);
    checkpoint.parameters = import(file.tensors);
    require_finite<io::DamagedFile>(checkpoint, "it");
  } catch (const io::DamagedFile& error) {
    throw io::DamagedFile(fmt::format("the checkpoint {} is damaged: {}", path.string(), error.what()));
  } catch (const Error& error) {
    throw StorageError(fmt::format("the checkpoint {}: {}", path.string(), error.what()));
  }
  return checkpoint;
}

void require_same_model(const Checkpoint& checkpoint, const models::ViTConfig& model,
                        const std::filesystem::path& path) {
  json wanted = json::parse(models::to_json(model)), got = json::parse(models::to_json(checkpoint.model));
  for (const auto& [field, value] : wanted.items()) {
    if (got.contains(field) && got[field] == value) continue;
    throw StorageError(fmt::format("the checkpoint {} is of another model: its {} is {}, this run's is {}",
                                   path.string(), field, got.contains(field) ? got[field].dump() : "missing",
                                   value.dump()));
  }
}

std::string class_name(const Checkpoint& checkpoint, size_t index) {
  return index < checkpoint.class_names.size() ? checkpoint.class_names[index] : std::to_string(index);
}

size_t checkpoint_bytes(size_t parameters, bool with_average) {
  constexpr size_t header = 1 << 16;           // names, shapes and metadata
  const size_t copies = with_average ? 4 : 3;  // the parameters, two moments, and the average
  return copies * parameters * sizeof(float) + header;
}

}  // namespace vitcl::train
