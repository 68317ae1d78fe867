#include <gtest/gtest.h>

#include "support/devices.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  vitcl::test::close_devices();
  return result;
}
