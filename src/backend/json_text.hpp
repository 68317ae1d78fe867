#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace vitcl {

/// A JSON value for an error's text. Lists and objects are only named: dump() would follow their nesting by recursion,
/// and a file may nest them a million deep.
inline std::string in_words(const nlohmann::json& value) {
  return value.is_primitive() ? value.dump() : value.type_name();
}

}  // namespace vitcl
