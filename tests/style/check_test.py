#!/usr/bin/env python3
"""Each check finds the offence it is for, and lets good code pass."""
import tempfile
import unittest
from pathlib import Path

import checks
import source

LONG_BODY = "  x += 1;\n" * 70
FUNCTION = "int sum(const std::vector<int>& values,\n        int start) const {\n" + LONG_BODY + "}\n"


class Checks(unittest.TestCase):
    def offences(self, check, files):
        """What a check finds in a tree made of `files`: path to text."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(check(Path(folder)))

    def finds(self, check, name, text, **others):
        self.assertEqual(len(self.offences(check, {name: text, **others})), 1, name)

    def passes(self, check, name, text, others=None):
        self.assertEqual(self.offences(check, {name: text, **(others or {})}), [])

    def test_a_level_does_not_include_a_later_one(self):
        self.finds(checks.includes, "src/ops/a.cpp", '#include "vitcl/nn/graph.hpp"\n')
        self.finds(checks.includes, "src/nn/a.cpp", '#include "models/private.hpp"\n')
        self.passes(checks.includes, "src/nn/a.cpp", '#include "vitcl/ops/gelu.hpp"\n#include "nn/private.hpp"\n')
        self.passes(checks.includes, "src/ops/a.cpp", '// #include "vitcl/nn/graph.hpp"\n')

    def test_libraries_stay_where_they_belong(self):
        self.finds(checks.includes, "src/ops/a.cpp", "#include <CL/opencl.hpp>\n")
        self.finds(checks.includes, "tests/a.cpp", "#include <clblast.h>\n")
        self.finds(checks.includes, "src/train/a.cpp", "#include <CLI/CLI.hpp>\n")
        self.finds(checks.includes, "include/vitcl/io/a.hpp", "#pragma once\n#include <nlohmann/json.hpp>\n")
        self.finds(checks.includes, "include/vitcl/io/a.hpp", "int x;\n")
        self.passes(checks.includes, "src/backend/a.cpp", "#include <CL/opencl.hpp>\n")

    def test_the_library_neither_prints_nor_exits(self):
        self.finds(checks.manners, "src/nn/a.cpp", "void f() { std::cout << 1; }\n")
        self.finds(checks.manners, "src/nn/a.cpp", "void f() { std::exit(1); }\n")
        self.passes(checks.manners, "src/cli/a.cpp", "void f() { std::cout << 1; }\n")
        self.passes(checks.manners, "src/nn/a.cpp", 'auto s = fmt::format("exit(1)");  // exit(1)\n')

    def test_sizes(self):
        self.finds(checks.sizes, "src/a.cpp", "\n" * 501)
        self.finds(checks.sizes, "cl/a.cl", "\n" * 351)
        self.finds(checks.sizes, "src/a.cpp", FUNCTION)
        self.finds(checks.sizes, "src/a.cpp", "TEST_P(A, B) {\n" + LONG_BODY + "}\n")
        self.finds(checks.sizes, "src/a.cpp", "A::A(int x) : x_(x), y_{1} {\n" + LONG_BODY + "}\n")
        self.passes(checks.sizes, "src/a.cpp", "namespace a {\nclass B {\n public:\n" + "  int f() { return 1; }\n" * 90 + "};\n}\n")
        self.passes(checks.sizes, "src/a.cpp", "constexpr int table[] = {\n" + "  1,\n" * 90 + "};\n")

    def test_a_function_is_measured_from_its_first_line(self):
        self.assertEqual([(first, length) for first, length, _ in source.functions("int a;\n" + FUNCTION)], [(2, 73)])

    def test_macros_of_kernels(self):
        guard = "#ifndef WG\n#error\n#endif\n"
        kernel = "kernel void f(global float* x) { x[0] = WG; }\n"
        self.finds(checks.kernels, "cl/a.cl", guard + kernel)
        self.finds(checks.kernels, "cl/a.cl", "// Sums.\n" + guard + kernel)
        self.passes(checks.kernels, "cl/a.cl", "// Sums.\n// WG: work-items of a group\n" + guard + kernel)
        names = [f"M{i}" for i in range(7)]
        head = "// " + " ".join(names) + "\n#if " + " || ".join(f"!defined({n})" for n in names) + "\n#error\n#endif\n"
        self.finds(checks.kernels, "cl/a.cl", head + "kernel void f(global float* x) { x[0] = " + "+".join(names) + "; }\n")

    def test_only_the_quirks_know_vendors(self):
        self.finds(checks.vendors, "src/ops/a.cpp", 'bool f(const DeviceInfo& d) { return d.alias == "pocl"; }\n')
        self.finds(checks.vendors, "src/ops/a.cpp", 'if (lower(d.platform).find("nvidia cuda") == 0) return 1;\n')
        self.finds(checks.vendors, "cl/a.cl", "#ifdef __NV_CL_C_VERSION\n#endif\n")
        self.finds(checks.vendors, "cl/a.cl", "#if defined(__AMD__) || 1\n#endif\n")
        self.passes(checks.vendors, "src/backend/quirks.cpp", 'bool f() { return d.alias == "pocl"; }\n')
        self.passes(checks.vendors, "src/ops/a.cpp", '// "pocl" is slow here\nauto v = getenv("POCL_DEVICES");\n')
        self.passes(checks.vendors, "src/cli/a.cpp", 'auto m = "install pocl-opencl-icd";\n')
        self.passes(checks.vendors, "src/backend/a.cpp", 'bool b = has_extension(e, "cl_amd_device_attribute_query");\n')
        self.passes(checks.vendors, "cl/a.cl", "#ifdef cl_intel_subgroups\n#endif\n")

    def test_documents_do_not_rot(self):
        there = {"src/nn/a.cpp": "int x = 1;\n"}
        self.passes(checks.paths, "docs/a.md", "`src/nn/a.cpp` `src/*/a.{cpp}` [a](../src/nn/a.cpp) `a/b`\n", there)
        self.finds(checks.paths, "docs/a.md", "`src/nn/b.cpp`\n", **there)
        self.finds(checks.paths, "docs/a.md", "`src/nn/{a,b}.cpp`\n", **there)
        self.finds(checks.paths, "docs/a.md", "[a](b.md)\n", **there)
        quoted = "<!-- from src/nn/a.cpp -->\n```cpp\nint x = {};\n```\n"
        self.passes(checks.paths, "docs/a.md", quoted.format(1), there)
        self.finds(checks.paths, "docs/a.md", quoted.format(2), **there)

    def test_paths_of_one_machine(self):
        self.finds(checks.machine_paths, "src/a.cpp", 'open("/' + 'home/me/x");\n')
        self.passes(checks.machine_paths, "src/a.cpp", 'open("/usr/share/datasets");  // src/work/a\n')


if __name__ == "__main__":
    unittest.main()
