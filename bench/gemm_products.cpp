#include "gemm_products.hpp"

#include <fmt/format.h>

namespace vitcl::bench {
namespace {

struct LinearLayer {
  size_t rows, in, out;
};

constexpr LinearLayer layers[] = {
    {1700, 64, 192},  {1700, 64, 64},    {1700, 64, 128},   {1700, 128, 64},   {1024, 1024, 1024},
    {1576, 384, 384}, {1576, 384, 1152}, {1576, 384, 1536}, {1576, 1536, 384},
};

/// Values of no particular meaning, none of them small enough to be slow.
Tensor filled(Device& device, size_t elements) {
  std::vector<float> values(elements);
  for (size_t i = 0; i < elements; ++i) values[i] = static_cast<float>(i % 31) / 16 - 1;
  Tensor tensor = Tensor::empty(device, {elements});
  upload<float>(device.queue(), values, tensor);
  return tensor;
}

}  // namespace

double GemmProduct::flops() const {
  return 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
}

double GemmProduct::bytes() const {
  return sizeof(float) * static_cast<double>(shape.m * shape.k + shape.k * shape.n + shape.m * shape.n);
}

std::function<void()> GemmProduct::prepare(Device& device) const {
  const size_t workspace_bytes = ops::gemm_workspace_bytes(device.caps(), shape);
  return [&queue = device.queue(), shape = shape, a = filled(device, shape.m * shape.k),
          b = filled(device, shape.k * shape.n), c = filled(device, shape.m * shape.n),
          workspace = device.allocate(workspace_bytes + 1)] {
    ops::gemm(queue, shape, a.buffer(), b.buffer(), nullptr, ops::GradMode::overwrite, c.buffer(), workspace);
  };
}

std::vector<GemmProduct> gemm_products() {
  std::vector<GemmProduct> products;
  for (const auto& [rows, in, out] : layers) {
    const auto add = [&, rows = rows, in = in, out = out](const char* form, ops::GemmShape shape) {
      products.push_back({fmt::format("{}/{}x{}x{}", form, rows, in, out), shape});
    };
    add("nt", {ops::GemmForm::nt, rows, out, in});
    add("nn", {ops::GemmForm::nn, rows, in, out});
    add("tn", {ops::GemmForm::tn, out, in, rows});
  }
  return products;
}

}  // namespace vitcl::bench
