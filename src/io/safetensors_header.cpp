#include "safetensors_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "vitcl/backend/error.hpp"

namespace vitcl::io {
namespace {

constexpr std::string_view metadata_key = "__metadata__";
constexpr size_t most_dimensions = 64;  // more than any program makes; a list must not cost more than its text

/// A tensor's fields as they come; all three must be there when its object ends.
struct Fields {
  std::optional<StoredType> type;
  std::optional<std::vector<size_t>> shape;
  std::optional<std::vector<size_t>> offsets;
};

/// The size in bytes, or nothing where it doesn't fit in 64 bits. A zero dimension does not excuse an overflow of the
/// others.
std::optional<uint64_t> byte_size(StoredType type, const std::vector<size_t>& shape) {
  uint64_t bytes = size_of(type);
  bool empty = false;
  for (const uint64_t size : shape) {
    empty = empty || size == 0;
    if (size == 0) continue;
    if (bytes > std::numeric_limits<uint64_t>::max() / size) return std::nullopt;
    bytes *= size;
  }
  return empty ? 0 : bytes;
}

std::optional<StoredType> stored_type(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(last_stored_type); ++value)
    if (const auto type = static_cast<StoredType>(value); to_string(type) == name) return type;
  return std::nullopt;
}

/// Receives the header's JSON piece by piece, so that no document is built and nesting can't grow.
class Handler {
 public:
  using Json = nlohmann::json;
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  Header take() { return std::move(header_); }
  const std::string& error() const { return error_; }

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) { return unexpected("a number that is no whole number"); }
  bool binary(binary_t&) { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) {
    if (numbers_ == nullptr) return unexpected("a number");
    if (numbers_->size() == most_dimensions)
      return fail(fmt::format("\"{}\" of \"{}\" has more than {} numbers", key_, name_, most_dimensions));
    numbers_->push_back(value);
    return true;
  }

  bool string(string_t& value) {
    if (place_ == Place::metadata) {
      header_.metadata.emplace(key_, std::move(value));
      return true;
    }
    if (place_ != Place::tensor || key_ != "dtype") return unexpected("a string");
    fields_.type = stored_type(value);
    return fields_.type ? true
                        : fail(fmt::format("tensor \"{}\" has the type \"{}\", which is not known", name_, value));
  }

  bool start_object(size_t) {
    if (place_ == Place::outside) {
      place_ = Place::top;
    } else if (place_ == Place::top) {
      place_ = name_ == metadata_key ? Place::metadata : Place::tensor;
      fields_ = {};
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool key(string_t& value) {
    if (place_ == Place::top) {
      name_ = std::move(value);
      const bool again = name_ == metadata_key ? had_metadata_ : header_.entries.contains(name_);
      had_metadata_ = had_metadata_ || name_ == metadata_key;
      return again ? fail(fmt::format("the name \"{}\" comes twice", name_)) : true;
    }
    key_ = std::move(value);
    if (place_ == Place::metadata)
      return header_.metadata.contains(key_) ? fail(fmt::format("the metadata \"{}\" comes twice", key_)) : true;
    const bool known = key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
    if (!known) return fail(fmt::format("tensor \"{}\" has an unknown field \"{}\"", name_, key_));
    const bool again = (key_ == "dtype" && fields_.type) || (key_ == "shape" && fields_.shape) ||
                       (key_ == "data_offsets" && fields_.offsets);
    return again ? fail(fmt::format("tensor \"{}\" has the field \"{}\" twice", name_, key_)) : true;
  }

  bool start_array(size_t) {
    if (place_ != Place::tensor || numbers_ != nullptr || key_ == "dtype") return unexpected("a list");
    numbers_ = &(key_ == "shape" ? fields_.shape : fields_.offsets).emplace();
    return true;
  }

  bool end_array() {
    numbers_ = nullptr;
    return true;
  }

  bool end_object() {
    if (place_ == Place::tensor && !add_tensor()) return false;
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    return fail(fmt::format("its header is no valid JSON at byte {}", position));
  }

 private:
  enum class Place { outside, top, metadata, tensor };

  bool fail(std::string error) {
    error_ = std::move(error);
    return false;
  }

  bool unexpected(const char* what) {
    if (place_ == Place::outside) return fail(fmt::format("its header is {}, not an object", what));
    if (place_ == Place::top) return fail(fmt::format("\"{}\" is {}, not an object", name_, what));
    return fail(fmt::format("\"{}\" of \"{}\" is or holds {}", key_, name_, what));
  }

  bool add_tensor() {
    if (!fields_.type || !fields_.shape || !fields_.offsets)
      return fail(fmt::format("tensor \"{}\" lacks dtype, shape or data_offsets", name_));
    if (fields_.offsets->size() != 2)
      return fail(fmt::format("tensor \"{}\" has {} data_offsets, not 2", name_, fields_.offsets->size()));
    const uint64_t begin = fields_.offsets->front(), end = fields_.offsets->back();
    const std::optional<uint64_t> size = byte_size(*fields_.type, *fields_.shape);
    if (!size) return fail(fmt::format("tensor \"{}\" has a shape whose size overflows", name_));
    if (end < begin || end - begin != *size)
      return fail(
          fmt::format("tensor \"{}\" lies at {} to {}, but its shape needs {} bytes", name_, begin, end, *size));
    header_.entries.emplace(name_, HeaderEntry{*fields_.type, Shape(std::move(*fields_.shape)), begin, end});
    return true;
  }

  Header header_;
  std::string error_;
  Place place_ = Place::outside;
  std::string name_, key_;
  Fields fields_;
  bool had_metadata_ = false;
  std::vector<size_t>* numbers_ = nullptr;
};

/// The tensors, in the order of their offsets, must cover the data exactly.
void check_cover(const Header& header, uint64_t data_bytes) {
  std::vector<std::pair<const HeaderEntry*, const std::string*>> order;
  for (const auto& [name, entry] : header.entries) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
  });
  uint64_t position = 0;
  for (const auto& [entry, name] : order) {
    if (entry->begin != position)
      throw StorageError(fmt::format("tensor \"{}\" begins at byte {} of the data, {} at byte {}", *name, entry->begin,
                                     entry->begin < position ? "overlapping another that ends" : "behind a hole",
                                     position));
    position = entry->end;
  }
  if (position > data_bytes)
    throw StorageError(
        fmt::format("its tensors need {} bytes, but only {} are there; the file is truncated", position, data_bytes));
  if (position < data_bytes) throw StorageError(fmt::format("{} bytes follow its last tensor", data_bytes - position));
}

}  // namespace

Header parse_header(const std::string& json, uint64_t data_bytes) {
  if (!json.starts_with('{')) throw StorageError("its header does not begin with '{'");
  Handler handler;
  if (!nlohmann::json::sax_parse(json, &handler)) throw StorageError(handler.error());
  Header header = handler.take();
  check_cover(header, data_bytes);
  return header;
}

}  // namespace vitcl::io
