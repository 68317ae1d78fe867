"""The project's files, and C++ text with its comments and strings blanked out."""
import re
from pathlib import Path

# Top-level folders that hold what is built, downloaded or trained.
GENERATED = ("build", "runs", "data")
CODE = {".cpp", ".hpp", ".cl", ".h", ".py", ".sh", ".cmake"}
CPP = {".cpp", ".hpp", ".cl", ".h"}


def files(root: Path) -> list[Path]:
    """Every file of the project, as a path relative to root."""
    found = []
    for top in sorted(root.iterdir()):
        if top.name == ".git" or top.name == ".cache" or (top.is_dir() and top.name.startswith(GENERATED)):
            continue
        inside = [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file())
        found += [p.relative_to(root) for p in inside if "__pycache__" not in p.parts]
    return found


def is_code(path: Path) -> bool:
    return path.suffix in CODE or path.name == "CMakeLists.txt"


_TOKENS = re.compile(
    r'R"(?P<delimiter>[^(\s]*)\(.*?\)(?P=delimiter)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*|/\*.*?\*/",
    re.DOTALL,
)


def blanked(text: str, keep_strings: bool = False) -> str:
    """The same text, line for line, with blanks for comments and for what string literals hold."""

    def blank(match: re.Match) -> str:
        token = match.group(0)
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token if keep_strings else '"' + re.sub(r"[^\n]", " ", token[1:-1]) + '"'

    return _TOKENS.sub(blank, text)


_NOT_A_FUNCTION = re.compile(
    r"(?:namespace|class|struct|union|enum|extern|if|else|for|while|switch|do|try|catch|return|case|default)\b"
)
_AFTER_PARAMETERS = re.compile(r"\)\s*(?:const|noexcept|override|final|mutable|\s)*(?:->[^{};]*|:.*)?$")
_LAMBDA = re.compile(r"\[[^\[\]]*\]\s*(?:\(.*\))?[^{}()]*$")


def functions(text: str):
    """Yields (first line, number of lines, head) of every function body, lambdas with parameters included.

    Takes the text as clang-format leaves it: a brace right behind a name or a bracket initialises, others open a block.
    """
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), blanked(text), flags=re.M)
    blocks = []
    start, depth = 0, 0
    for at, letter in enumerate(code):
        depth += (letter == "(") - (letter == ")")
        if letter == "{" and not code[at - 1].isspace():
            blocks.append(None)
        elif letter == "{":
            head = code[start:at]
            blocks.append((_first_line(code, start, at), " ".join(head.split())))
            start = at + 1
        elif letter == "}" and blocks:
            block = blocks.pop()
            if block and _opens_function(block[1]):
                yield block[0], code.count("\n", 0, at) + 2 - block[0], block[1]
            if block:
                start = at + 1
        elif letter == ";" and depth <= 0:
            start = at + 1


def _first_line(code: str, start: int, brace: int) -> int:
    """The line where the declaration before `brace` begins: the last one that is indented least."""
    begin = code.count("\n", 0, start)
    lines = [(begin + i + 1, line) for i, line in enumerate(code[start:brace].split("\n")) if line.strip()]
    if not lines:
        return code.count("\n", 0, brace) + 1
    least = min(len(line) - len(line.lstrip()) for _, line in lines)
    return max(number for number, line in lines if len(line) - len(line.lstrip()) == least)


def _opens_function(head: str) -> bool:
    if "(" not in head or _NOT_A_FUNCTION.match(head):
        return False
    return bool(_AFTER_PARAMETERS.search(head) or _LAMBDA.search(head))
