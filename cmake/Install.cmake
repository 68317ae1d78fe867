# cmake --install: headers, the library, find_package(vitcl) and the program.
include(CMakePackageConfigHelpers)

set(VITCL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vitcl)
install(DIRECTORY include/vitcl DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(TARGETS vitcl EXPORT vitclTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS vitcl_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT vitclTargets NAMESPACE vitcl:: DESTINATION ${VITCL_PACKAGE_DIR})
configure_package_config_file(cmake/vitclConfig.cmake.in ${CMAKE_BINARY_DIR}/vitclConfig.cmake
  INSTALL_DESTINATION ${VITCL_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/vitclConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/vitclConfig.cmake ${CMAKE_BINARY_DIR}/vitclConfigVersion.cmake
  DESTINATION ${VITCL_PACKAGE_DIR})
