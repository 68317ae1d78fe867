"""The checks. Each takes the project's root and yields one line of text for every offence."""
import re
import shutil
import subprocess
from pathlib import Path

import source

LEVELS = ["backend", "tensor", "ops", "nn", "models", "io", "data", "train", "selftest", "cli"]
# Tests' stand-ins for parts of a driver speak OpenCL by nature.
STAND_INS = ("tests/support/oclgrind_*.cpp", "tests/support/*_layer.cpp")
MAX_FILE, MAX_KERNEL_FILE, MAX_FUNCTION, MAX_MACROS = 500, 350, 60, 6


class Skip(Exception):
    """A check that can't be made here; the text says why."""


def _level(path: Path):
    """The index of the level that a file belongs to, or None outside of them."""
    parts = path.parts
    name = parts[1] if parts[0] == "src" else parts[2] if parts[:2] == ("include", "vitcl") else ""
    return LEVELS.index(name) if name in LEVELS else None


def includes(root: Path):
    """A level includes itself and the levels above it; OpenCL stays in backend, CLI11 and printing in cli."""
    only_in = {r"CL/|clblast": "src/backend", r"CLI/": "src/cli"}
    for path in source.files(root):
        if path.suffix not in {".cpp", ".hpp"}:
            continue
        text = (root / path).read_text()
        if path.suffix == ".hpp" and not re.match(r"\s*(?://[^\n]*\n\s*)*#pragma once\n", text):
            yield f"{path}:1: a header starts with #pragma once"
        own = _level(path)
        for match in re.finditer(r'^\s*#\s*include\s*[<"]([^">]+)[">]', source.blanked(text, keep_strings=True), re.M):
            where, name = f"{path}:{text.count(chr(10), 0, match.start(1)) + 1}", match.group(1)
            for pattern, folder in only_in.items():
                if re.match(pattern, name) and not path.is_relative_to(folder) and not any(map(path.match, STAND_INS)):
                    yield f"{where}: only {folder} includes <{name}>"
            if path.parts[0] == "include" and name.startswith("nlohmann"):
                yield f"{where}: public headers do not include <{name}>"
            first = name.removeprefix("vitcl/").split("/")[0]
            if own is not None and first in LEVELS and "/" in name and LEVELS.index(first) > own:
                yield f"{where}: {LEVELS[own]} is above {first} and can't include {name}"


def manners(root: Path):
    """The library never prints and never exits."""
    forbidden = re.compile(r"\bstd::(?:cout|cerr|clog)\b|\b(?:f?printf|puts|fputs|perror|abort|fmt::print)\s*\(|\b_?[eE]xit\s*\(")
    for path in source.files(root):
        level = _level(path)
        if level is None or LEVELS[level] == "cli" or path.suffix not in {".cpp", ".hpp"}:
            continue
        for number, line in enumerate(source.blanked((root / path).read_text()).splitlines(), 1):
            if match := forbidden.search(line):
                yield f"{path}:{number}: the library neither prints nor exits: {match.group(0)}"


def sizes(root: Path):
    """A file has at most 500 lines, a kernel file 350, a function 60."""
    for path in filter(source.is_code, source.files(root)):
        text = (root / path).read_text()
        limit = MAX_KERNEL_FILE if path.suffix == ".cl" else MAX_FILE
        if (lines := text.count("\n")) > limit:
            yield f"{path}: {lines} lines, at most {limit}"
        if path.suffix in source.CPP:
            for first, length, head in source.functions(text):
                if length > MAX_FUNCTION:
                    yield f"{path}:{first}: {length} lines, at most {MAX_FUNCTION}: {head[:60]}"


def kernels(root: Path):
    """A kernel's macros are at most six, listed in the comment at the head of its file, and required by #error."""
    for path in source.files(root):
        if path.parts[0] != "cl" or path.suffix != ".cl":
            continue
        text = (root / path).read_text()
        head = re.match(r"(?:\s*//[^\n]*\n)+|\s*/\*.*?\*/", text, re.DOTALL)
        if not head:
            yield f"{path}:1: a kernel file starts with a comment that says what it computes"
            continue
        for name in sorted(required_macros(text)):
            if not re.search(rf"\b{name}\b", head.group(0)):
                yield f"{path}:1: the macro {name} is not listed at the head"
        for kernel, macros in macros_by_kernel(text).items():
            if len(macros) > MAX_MACROS:
                yield f"{path}: kernel {kernel} takes {len(macros)} macros, at most {MAX_MACROS}: {', '.join(sorted(macros))}"
        if re.search(r"cl-fast-relaxed-math|cl-unsafe-math", text):
            yield f"{path}: relaxed arithmetic is not allowed"


def required_macros(text: str) -> set[str]:
    """What the file insists on being given: names tested by an #if or #ifndef whose body is an #error."""
    tests = re.findall(r"^#\s*if(?:n?def)?\b((?:[^\n]*\\\n)*[^\n]*)\n\s*#\s*error", text, re.M)
    names = {name for test in tests for name in re.findall(r"\b[A-Z][A-Z0-9_]*\b", test)}
    defined = set(re.findall(r"^#\s*define\s+(\w+)", text, re.M))
    return {name for name in names - defined if not name.startswith(("CL_", "FP_", "__"))}


def macros_by_kernel(text: str) -> dict[str, set[str]]:
    """The required macros between one kernel's end and the next one's end, for each kernel of a file."""
    macros, found, start = required_macros(text), {}, 0
    for match in re.finditer(r"\b(?:__)?kernel\s+(?:__attribute__\s*\(\(.*?\)\)\s*)?void\s+(\w+)", text):
        following = re.search(r"^}", text[match.end():], re.M)
        end = match.end() + (following.end() if following else 0)
        found[match.group(1)] = {name for name in macros if re.search(rf"\b{name}\b", text[start:end])}
        start = end
    return found


DRIVERS = ("pocl|portable computing language|rusticl|llvmpipe|mesa|clover|oclgrind|intel|nvidia|geforce|amd|radeon|apple"
           "|qualcomm|adreno|arm|mali|powervr")


def vendors(root: Path):
    """Code asks for capabilities; src/backend/quirks.cpp alone looks at the names of vendors and drivers.

    A string of a few words that holds such a name counts as looking; a sentence, a package's or a variable's name does
    not. A kernel must not ask the preprocessor who compiles it, but may ask for an extension.
    """
    name = re.compile(rf"(?<![\w-])(?:{DRIVERS})(?![\w-])", re.I)
    compiler = re.compile(r"\b_*(?:POCL|NV|NVIDIA|AMD|AMDGCN|INTEL|APPLE|QCOM|ARM|MALI|MESA)_\w*")
    for path in source.files(root):
        if path.parts[0] not in {"src", "include", "cl"} or path.suffix not in source.CPP or path.with_suffix("") == Path("src/backend/quirks"):
            continue
        code = source.blanked((root / path).read_text(), keep_strings=True)
        for number, line in enumerate(code.splitlines(), 1):
            texts = re.findall(r'"((?:\\.|[^"\\])*)"', line) if not line.lstrip().startswith("#include") else []
            if any(name.search(text) and len(text.split()) <= 4 for text in texts):
                yield f"{path}:{number}: only the quirks look at a driver's name: {line.strip()}"
            if path.parts[0] == "cl" and (match := compiler.search(line)):
                yield f"{path}:{number}: a kernel asks for capabilities, not who compiles it: {match.group(0)}"


def _documents(root: Path):
    return [p for p in source.files(root) if p.suffix == ".md"]


def paths(root: Path):
    """Files that the documents name exist, and code that they quote is the file's."""
    tops = {p.name for p in root.iterdir() if not p.name.startswith(source.GENERATED)}
    for path in _documents(root):
        text = (root / path).read_text()
        prose = re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)
        named = [(m.start(), m.group(1)) for m in re.finditer(r"`([\w./{},*+-]+)`", prose)]
        named = [(at, name) for at, name in named if name.strip("./").split("/")[0] in tops and "/" in name]
        for at, name in named:
            if not all(list(root.glob(one.rstrip("/"))) for one in _braces(name)):
                yield f"{path}:{text.count(chr(10), 0, at) + 1}: there is no {name}"
        for match in re.finditer(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", prose):
            if not (root / path.parent / match.group(1)).exists():
                yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: there is no {match.group(1)}"
        yield from _quotations(root, path, text)


def _braces(name: str) -> list[str]:
    """a/{b,c} as a/b and a/c."""
    match = re.search(r"\{([^{}]*)\}", name)
    if not match:
        return [name]
    return [one for part in match.group(1).split(",") for one in _braces(name[:match.start()] + part + name[match.end():])]


def _quotations(root: Path, path: Path, text: str):
    """A code block behind `<!-- from FILE -->` is part of that file, to the letter, whatever its indentation."""
    for match in re.finditer(r"<!-- from ([^ ]+) -->\n```\w*\n(.*?)^```", text, re.M | re.S):
        line = text.count("\n", 0, match.start()) + 1
        file = root / match.group(1)
        if not file.is_file():
            yield f"{path}:{line}: there is no {match.group(1)}"
        elif match.group(2) not in file.read_text():
            yield f"{path}:{line}: this is not what {match.group(1)} says"


def machine_paths(root: Path):
    """No file names a place that only one machine has."""
    place = re.compile(r"(?<![\w.$}/])/(?:work|root|home|Users|opt)/[\w.-]+")
    for path in source.files(root):
        if not (source.is_code(path) or path.suffix in {".md", ".json", ".toml", ".in"} or path.parts[0] == ".ci"):
            continue
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            if match := place.search(line):
                yield f"{path}:{number}: a path of one machine: {match.group(0)}"


def formatting(root: Path):
    """clang-format has nothing to change."""
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not program:
        raise Skip("clang-format is not installed")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if " 14." not in version:
        raise Skip(f"the layout is clang-format 14's, here is{version.rstrip().split('version')[-1]}")
    ours = [str(p) for p in source.files(root) if p.suffix in source.CPP]
    run = subprocess.run([program, "--dry-run", "--Werror", *ours], cwd=root, capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", run.stderr, re.M)))
    yield from (f"{name}: not as clang-format -i leaves it" for name in wrong)
    if run.returncode and not wrong:
        yield run.stderr


def shell(root: Path):
    """shellcheck has nothing to say about the scripts."""
    if not shutil.which("shellcheck"):
        raise Skip("shellcheck is not installed")
    ours = [str(p) for p in source.files(root) if p.suffix == ".sh" or p.parts[0] == ".ci"]
    run = subprocess.run(["shellcheck", "--external-sources", "--format=gcc", *ours], cwd=root, capture_output=True, text=True)
    yield from run.stdout.splitlines()


ALL = {c.__name__: c for c in (includes, manners, sizes, kernels, vendors, paths, machine_paths, formatting, shell)}
