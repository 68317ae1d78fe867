#include "vitcl/train/nearest_name.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vitcl::train {
namespace {

const std::vector<std::string> names{"epochs", "batch-size", "lr", "dim", "depth", "warmup-epochs", "warmup-lr"};

TEST(NearestName, ForgivesAFewLetters) {
  EXPECT_EQ(nearest_name("epoch", names), "epochs");
  EXPECT_EQ(nearest_name("epohcs", names), "epochs");
  EXPECT_EQ(nearest_name("batchsize", names), "batch-size");
  EXPECT_EQ(nearest_name("bacth-syze", names), "batch-size");
  EXPECT_EQ(nearest_name("rl", names), "lr");
  EXPECT_EQ(nearest_name("dept", names), "depth");
  EXPECT_EQ(nearest_name("depfh", names), "depth");
  EXPECT_EQ(nearest_name("dewfh", names), "depth");
  EXPECT_EQ(nearest_name("rewfh", names), std::nullopt);
}

TEST(NearestName, TakesABeginning) {
  EXPECT_EQ(nearest_name("batch", names), "batch-size");
  EXPECT_EQ(nearest_name("warmup", names), "warmup-epochs");  // the first of two
}

TEST(NearestName, NamesNothingFar) {
  EXPECT_EQ(nearest_name("colour", names), std::nullopt);
  EXPECT_EQ(nearest_name("", names), std::nullopt);
  EXPECT_EQ(nearest_name("x", {}), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(1000000, 'e'), names), std::nullopt);
}

}  // namespace
}  // namespace vitcl::train
