// Trains an MLP that tells points inside a circle from those outside: the whole of a program that uses vitcl.
#include <cmath>
#include <cstdio>
#include <numeric>

#include "vitcl/nn/layers.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/ops/adam.hpp"
#include "vitcl/ops/batch.hpp"

using namespace vitcl;

int main() {
  constexpr size_t batch = 256, steps = 200;
  nn::Graph graph;
  nn::Value points = graph.input("points", {2});
  nn::Value labels = graph.input("labels", {}, DType::i32);
  nn::Value hidden = graph.add<nn::Linear>("hidden", {points}, 2, 32);
  nn::Value active = graph.add<nn::Gelu>("active", {hidden});
  nn::Value logits = graph.add<nn::Linear>("logits", {active}, 32, 2);
  graph.set_loss(graph.add<nn::CrossEntropy>("loss", {logits, labels}));

  Device device(select_device("auto"));
  Queue& queue = device.queue();
  nn::Parameters parameters(device, graph.parameters());
  parameters.initialize(queue, /*seed=*/0);
  nn::Plan plan(graph, parameters, queue, batch, {nn::Mode::training});

  std::vector<float> xy;
  std::vector<int32_t> inside;
  for (size_t i = 0; i < batch; ++i) {
    const float x = static_cast<float>(i % 16) / 8 - 1, y = static_cast<float>(i / 16) / 8 - 1;
    xy.insert(xy.end(), {x, y});
    inside.push_back(std::hypot(x, y) < 0.7F ? 1 : 0);
  }
  upload<float>(queue, xy, plan.tensor("points"));
  upload<int32_t>(queue, inside, plan.tensor("labels"));

  // Adam reads its rates from a table on the device, a row a step, so that a step needs nothing from the host.
  std::vector<ops::StepEntry> rates;
  for (float b1 = 0.9F, b2 = 0.999F; rates.size() < steps; b1 *= 0.9F, b2 *= 0.999F) {
    rates.push_back({.first_sample = 0,
                     .learning_rate = 0.01F,
                     .bias_correction1 = 1 - b1,
                     .bias_correction2_sqrt = std::sqrt(1 - b2)});
  }
  Tensor table = Tensor::empty(device, {steps, 4}), cursor = Tensor::empty(device, {1}, DType::i32);
  Tensor m = Tensor::empty(device, parameters.values().shape()), v = Tensor::empty(device, m.shape());
  queue.write(table.buffer(), rates.data(), table.bytes());
  for (const Tensor& tensor : {cursor, m, v}) queue.zero(tensor.buffer());

  double first = 0, loss = 0;
  for (size_t step = 0; step < steps; ++step) {
    plan.run();
    ops::adam(queue, parameters.gradients(), {}, table, cursor, parameters.values(), m, v);
    ops::advance(queue, cursor);
    const std::vector<float> losses = download<float>(queue, plan.tensor("loss"));
    loss = std::accumulate(losses.begin(), losses.end(), 0.0) / batch;
    if (step == 0) first = loss;
  }
  std::printf("loss on %s: %.4f at first, %.4f after %zu steps\n", device.info().name.c_str(), first, loss, steps);
  return loss < first / 4 ? 0 : 1;
}
