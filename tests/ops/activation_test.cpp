#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <numbers>
#include <optional>

#include "support/devices.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// A kernel folder that holds the library's helpers and the probe; VITCL_KERNEL_DIR names it for as long as it lives.
class ProbeFolder {
 public:
  ProbeFolder() : path_(std::filesystem::path(::testing::TempDir()) / ("vitcl_probe_" + std::to_string(::getpid()))) {
    namespace fs = std::filesystem;
    fs::create_directories(path_);
    fs::copy(fs::path(VITCL_SOURCE_DIR) / "cl/common", path_ / "common", fs::copy_options::recursive);
    fs::copy(fs::path(VITCL_SOURCE_DIR) / "tests/kernels/activation_probe.cl", path_);
    if (const char* old = std::getenv(variable)) old_ = old;
    ::setenv(variable, path_.c_str(), 1);
  }
  ~ProbeFolder() {
    if (old_) {
      ::setenv(variable, old_->c_str(), 1);
    } else {
      ::unsetenv(variable);
    }
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ProbeFolder(const ProbeFolder&) = delete;
  ProbeFolder& operator=(const ProbeFolder&) = delete;

 private:
  static constexpr const char* variable = "VITCL_KERNEL_DIR";
  std::filesystem::path path_;
  std::optional<std::string> old_;
};

/// The functions at x: twice as many values, by the scalar code and by the vector code; log of |x| once.
struct Probe {
  std::vector<float> x, exps, logs, gelus, derivatives;
};

Probe probe(Device& device, std::vector<float> x) {
  x.resize((x.size() + 15) / 16 * 16, 1.0F);
  const size_t n = x.size();
  const ProbeFolder folder;
  Queue& queue = device.queue();
  const Tensor in = Tensor::empty(device, {n}), exps = Tensor::empty(device, {2 * n}),
               logs = Tensor::empty(device, {n});
  const Tensor gelus = Tensor::empty(device, {2 * n}), derivatives = Tensor::empty(device, {2 * n});
  upload<float>(queue, x, in);
  queue.launch(device.kernel("activation_probe", "activation_probe"), {{n / 16}, {1}}, in, exps, logs, gelus,
               derivatives, static_cast<int32_t>(n));
  return {x, download<float>(queue, exps), download<float>(queue, logs), download<float>(queue, gelus),
          download<float>(queue, derivatives)};
}

/// The distance of a float of this size to the next; that of `least` for smaller ones.
double ulp(double value, double least = std::numeric_limits<float>::min()) {
  return std::ldexp(1.0, std::ilogb(std::max(std::abs(value), least)) - 23);
}

/// Expects got[i] within `limit` units of f(x[i % n]) for the x that `where` selects.
void expect_within(double limit, const Probe& probed, const std::vector<float>& got,
                   const std::function<double(double)>& f, const std::function<bool(double)>& where,
                   double least = std::numeric_limits<float>::min()) {
  double worst = 0, worst_x = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double x = probed.x[i % probed.x.size()];
    if (!where(x)) continue;
    const double want = f(x);
    const double error = std::abs(got[i] - want) / ulp(want, least);
    if (!(error <= worst)) worst = error, worst_x = x;
  }
  EXPECT_LE(worst, limit) << "units in the last place, at " << worst_x;
}

double distribution(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double gelu(double x) { return x * distribution(x); }
double gelu_derivative(double x) {
  return distribution(x) + x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

std::vector<float> sweep(Device& device) {
  const int n = is_oclgrind(device.info()) ? 200 : device.caps().small_kernels_only ? 10'000 : 100'000;
  std::vector<float> x;
  for (int i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / (n - 1);
    x.push_back(static_cast<float>(16 * (2 * t - 1)));       // the GELU's range
    x.push_back(static_cast<float>(-103 + 191.7 * t));       // the exponential's
    x.push_back(static_cast<float>(std::exp(60 * t - 50)));  // all sizes
    x.push_back(-x.back());
  }
  return x;
}

bool anywhere(double) { return true; }

}  // namespace

class ActivationTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ActivationTest, all_devices(), device_name);

// The limits are those that cl/common/activation.h states.
TEST_P(ActivationTest, IsAccurateOverTheWholeRange) {
  const Probe probed = probe(device(), sweep(device()));
  // A device may flush subnormal results to 0.
  const auto normal_exp = [](double x) { return x > -87.3 && x < 88.7; };
  const auto before_subnormal = [](double x) { return x > -12.5; };
  expect_within(
      1, probed, probed.exps, [](double x) { return std::exp(x); }, normal_exp);
  expect_within(
      1, probed, probed.logs, [](double x) { return std::log(std::abs(x)); }, anywhere);
  expect_within(7, probed, probed.gelus, gelu, before_subnormal);
  expect_within(7, probed, probed.derivatives, gelu_derivative, anywhere, 0.25);
}

TEST_P(ActivationTest, HandlesTheEnds) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {infinity, -infinity, nan, 1e30F, -1e30F, 0, 89, -104, 88.72F, -20, 20};
  const Probe probed = probe(device(), x);
  const size_t n = probed.x.size();
  const auto at = [&](const std::vector<float>& values, size_t i, size_t half) { return values[i + half * n]; };
  for (const size_t half : {0, 1}) {
    const std::vector<float> exps = {infinity, 0, nan, infinity, 0, 1, infinity, 0};
    const std::vector<float> gelus = {infinity, nan, nan, 1e30F, 0, 0, 89, 0};
    const std::vector<float> derivatives = {nan, nan, nan, 1, 0, 0.5F, 1, 0};
    for (size_t i = 0; i < exps.size(); ++i) {
      if (std::isnan(exps[i])) {
        EXPECT_TRUE(std::isnan(at(probed.exps, i, half))) << x[i];
      } else {
        EXPECT_EQ(at(probed.exps, i, half), exps[i]) << x[i];
      }
    }
    for (size_t i = 3; i < gelus.size(); ++i) EXPECT_EQ(at(probed.gelus, i, half), gelus[i]) << x[i];
    EXPECT_TRUE(std::isnan(at(probed.gelus, 2, half)));
    EXPECT_TRUE(std::isnan(at(probed.derivatives, 2, half)));
    for (size_t i = 3; i < derivatives.size(); ++i) {
      EXPECT_EQ(at(probed.derivatives, i, half), derivatives[i]) << x[i];
    }
    EXPECT_TRUE(std::isfinite(at(probed.exps, 8, half)));
  }
}

}  // namespace vitcl::test
