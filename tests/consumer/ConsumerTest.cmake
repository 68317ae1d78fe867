# The installed package serves a program outside of the tree.
set(sanitize "")
if(VITCL_SANITIZE)
  set(sanitize "-fsanitize=address,undefined")
endif()
add_test(NAME install.consumer COMMAND ${CMAKE_COMMAND}
  -DBUILD_DIR=${CMAKE_BINARY_DIR} -DWORK_DIR=${CMAKE_BINARY_DIR}/consumer -DGENERATOR=${CMAKE_GENERATOR}
  -DCXX=${CMAKE_CXX_COMPILER} -DCXX_FLAGS=${sanitize} -P ${CMAKE_CURRENT_LIST_DIR}/install_and_use.cmake)
set_tests_properties(install.consumer PROPERTIES LABELS install)
