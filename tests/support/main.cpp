#include <gtest/gtest.h>

#include "support/devices.hpp"

/// 0 passed, 1 failed or nothing to run, 77 every test skipped itself (which CTest shows as skipped).
int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  vitcl::test::close_devices();
  const auto& tests = *::testing::UnitTest::GetInstance();
  if (tests.test_to_run_count() == 0) return 1;
  const bool only_skipped = tests.skipped_test_count() > 0 && tests.successful_test_count() == 0;
  return result == 0 && only_skipped ? 77 : result;
}
