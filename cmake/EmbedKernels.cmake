# Embeds every file of a kernel folder into a generated C++ table, so that the program needs no files at run time.
# Long files are cut into several adjacent literals, as compilers limit a literal's length.
function(vitcl_embed_kernels target folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.cl ${folder}/*.h)
  set(generated ${CMAKE_BINARY_DIR}/generated/embedded_kernels.cpp)
  list(TRANSFORM files PREPEND ${folder}/ OUTPUT_VARIABLE paths)
  add_custom_command(OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} "-DFILES=${files}" -DOUTPUT=${generated}
            -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/WriteEmbeddedKernels.cmake
    DEPENDS ${paths} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/WriteEmbeddedKernels.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${generated})
endfunction()
