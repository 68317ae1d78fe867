# cmake --install: headers, the library, find_package(vitcl) and the program.
