#pragma once

#include <string>
#include <vector>

#include "bench_table.hpp"

namespace vitcl::cli {

/// The table as an HTML page that needs no other file.
std::string bench_page(const std::vector<train::BenchmarkReport>& reports, const BenchTable& table);

}  // namespace vitcl::cli
