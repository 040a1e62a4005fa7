"""Imports point in one direction: between packages, between layers, and towards the declared dependencies.

The tests parse the source with ``ast`` and import nothing. They see every import: those inside functions, those
under TYPE_CHECKING, and modules named in full by a string ("fer_edge.detectors.haar:HaarDetector").
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]

PACKAGES: Final[Mapping[str, str]] = {
    "fer_edge": "edge/fer_edge",
    "fer_train": "train/fer_train",
    "fer_convert": "convert/fer_convert",
}
"""Each package may import itself and the packages above it."""

LAYERS: Final[Mapping[str, tuple[str, ...]]] = {
    "fer_edge": (
        "errors | types | _version",
        "runtime",
        "models",
        "sources | detectors | classification",
        "tracking",
        "rendering",
        "events | sinks",
        "pipeline | statistics",
        "session | result_stream",
        "recognizer",
        "benchmark | archive",
        "reports",
        "doctor",
        "cli",
        "__main__",
    ),
    "fer_train": (
        "native_stderr | optional_packages",
        "data",
        "models",
        "objectives",
        "evaluation",
        "training",
        "cli",
        "__main__",
    ),
    "fer_convert": (
        "formatting",
        "keras_graph | tflite | trained_model",
        "quantization",
        "verification",
        "conversion",
        "cli",
        "release",
        "__main__",
    ),
}
"""The subpackages and modules of each package, lowest layer first. Each may import itself and lower layers.

Those on one line, separated by |, must not import each other.
"""

SHARED_CLI: Final = {
    *("fer_edge.cli.app", "fer_edge.cli.completion", "fer_edge.cli.message_options", "fer_edge.cli.messages"),
    "fer_edge.cli.progress",
}
"""The shared parts of fer_edge.cli; other packages may import them only in ``cli``, ``__main__`` and ``release``."""

CLICK_OUTSIDE_CLI: Final[frozenset[str]] = frozenset()
"""Modules of fer_edge outside ``cli`` and ``__main__`` that may import click."""

RUN_AS_COMMANDS: Final = {
    *("pip", "hatchling", "editables", "build", "uv"),
    *("pytest", "xdist", "ruff", "mypy", "codespell_lib", "moto"),
    *("sphinx", "myst_parser", "furo"),
}
"""Tools in the build and dev groups that are run by name and not imported."""

LOADED_BY_NAME: Final[Mapping[str, str]] = {
    "jax": "Keras imports the backend that KERAS_BACKEND names",
    "cyclonedx": "a test asks whether it is installed",
}
"""Dependencies without an import statement, each with its reason."""

UNDECLARED: Final[Mapping[str, str]] = {
    "torch": "a backend of Keras that the user chooses to install",
    "picamera2": "comes from apt, for the Python of Raspberry Pi OS",
    "gi": "comes from apt, for Debian's own Python, in which the RTSP camera of the tests runs",
    "tflite_support": "installed in a separate environment by the only test that runs it",
}
"""Undeclared third-party packages that are imported inside functions if installed."""

IMPORT_NAMES: Final[Mapping[str, str]] = {
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "opencv-contrib-python": "cv2",
    "cyclonedx-python-lib": "cyclonedx",
}
"""Import names that differ from their distribution's name, for distributions not installed everywhere."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name; ``target`` is a dotted module name, or the top-level name of a third-party package."""

    module: str
    line: int
    target: str
    lazy: bool
    """True inside a function, under TYPE_CHECKING, or in a ``try``: importing the module works without it."""
    in_string: bool = False

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@cache
def modules(package: str) -> Mapping[str, ast.Module]:
    """Return the syntax trees of all modules of a package by dotted name; a folder uses its own name."""
    top = REPOSITORY / PACKAGES[package]
    trees = {}
    for path in sorted(top.rglob("*.py")):
        parts = path.relative_to(top.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


@cache
def project_modules() -> Mapping[str, ast.Module]:
    return {name: tree for package in PACKAGES for name, tree in modules(package).items()}


def visit(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node below this one, and whether it may never run."""
    for child in ast.iter_child_nodes(node):
        optional = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Try) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        )
        yield child, lazy
        yield from visit(child, lazy or optional)


def read_imports(name: str, tree: ast.Module) -> Iterator[Import]:
    for node, lazy in visit(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, node.lineno, resolve(alias.name), lazy)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield Import(name, node.lineno, resolve(node.module or "", alias.name), lazy)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            target = node.value.partition(":")[0]
            if "." in target and target in project_modules():
                yield Import(name, node.lineno, target, lazy=True, in_string=True)


@cache
def resolve(module: str, name: str = "") -> str:
    """Return the module that ``from module import name`` reads, following re-exports of a package."""
    if module.partition(".")[0] not in PACKAGES:
        return module.partition(".")[0]
    if f"{module}.{name}" in project_modules():
        return f"{module}.{name}"
    for node in ast.walk(project_modules().get(module, ast.Module([], []))):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith(f"{module}.")
            and name in {alias.asname or alias.name for alias in node.names}
        ):
            return resolve(node.module or "", name)
    return module


@cache
def imports(package: str) -> tuple[Import, ...]:
    return tuple(each for name, tree in modules(package).items() for each in read_imports(name, tree))


def room(module: str) -> str:
    """Return the folder or module directly below the package: "sinks" for "fer_edge.sinks.video"."""
    return module.split(".")[1] if "." in module else ""


def fail_on(broken: Iterable[str]) -> None:
    if lines := sorted(set(broken)):
        pytest.fail("\n".join(lines), pytrace=False)


def rank(package: str, name: str) -> int | None:
    """Return the layer of a subpackage, counted from the lowest, or None if the table does not list it."""
    layers = [layer.split(" | ") for layer in LAYERS[package]]
    for number, layer in enumerate(layers):
        if name in layer:
            return number
    return None


# --------------------------------------------------------------------------- between the project's modules


@pytest.mark.parametrize("package", PACKAGES)
def test_every_subpackage_has_a_layer(package: str) -> None:
    rooms = {room(module) for module in modules(package)} - {""}
    fail_on(f"{package}.{name} has no layer in LAYERS" for name in rooms if rank(package, name) is None)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_subpackage_imports_only_lower_layers(package: str) -> None:
    broken = []
    for each in imports(package):
        here, there = room(each.module), room(each.target)
        if each.target.partition(".")[0] != package or here in ("", there) or not there:
            continue
        low, high = rank(package, there), rank(package, here)
        if low is None or high is None or low < high:
            continue
        if low > high:
            broken.append(f"{each}: {there} is above {here}")
        else:
            broken.append(f"{each}: {there} and {here} share a layer")
    fail_on(broken)


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_no_import_cycles(package: str) -> None:
    graph: dict[str, dict[str, Import]] = {}
    for each in imports(package):
        inside = each.target.partition(".")[0] == package and package not in (each.module, each.target)
        if inside and not each.in_string:
            graph.setdefault(each.module, {}).setdefault(each.target, each)
    fail_on(f"circle: {circle}" for module in graph if (circle := shortest_circle(graph, module)))


def shortest_circle(graph: Mapping[str, Mapping[str, Import]], start: str) -> str:
    """Return the shortest import cycle as text, starting at its first module by name, or ""."""
    ways: deque[tuple[str, ...]] = deque([(start,)])
    seen = set[str]()
    while ways:
        way = ways.popleft()
        for following in graph.get(way[-1], {}):
            if following == start:
                first = way.index(min(way))
                way = way[first:] + way[:first]
                ends = zip(way, (*way[1:], way[0]), strict=True)
                return ", ".join(str(graph[module][target]) for module, target in ends)
            if following not in seen:
                seen.add(following)
                ways.append((*way, following))
    return ""


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_one_way(package: str) -> None:
    later = list(PACKAGES)[list(PACKAGES).index(package) + 1 :]
    fail_on(
        f"{each}: {package} stands before it; imports go convert → train → edge"
        for each in imports(package)
        if each.target.partition(".")[0] in later
    )


@pytest.mark.parametrize("package", ["fer_train", "fer_convert"])
def test_only_programs_use_the_shared_command_line_code(package: str) -> None:
    broken = []
    for each in imports(package):
        owner, _, rest = each.target.partition(".")
        if owner == package or owner not in PACKAGES or rest.partition(".")[0] not in ("cli", "__main__"):
            continue
        if owner != "fer_edge" or each.target not in SHARED_CLI:
            broken.append(f"{each}: of another package's programs only {sorted(SHARED_CLI)} are shared")
        elif not {"cli", "__main__", "release"} & set(each.module.split(".")):
            broken.append(f"{each}: only cli, __main__ and release may use it")
    fail_on(broken)


def test_the_library_does_not_import_click() -> None:
    fail_on(
        f"{each}: in fer_edge only cli and __main__ use click"
        for each in imports("fer_edge")
        if each.target == "click"
        and room(each.module) not in ("cli", "__main__")
        and each.module not in CLICK_OUTSIDE_CLI
    )


# --------------------------------------------------------------------------- third-party packages


@cache
def declared() -> Mapping[str, frozenset[str]]:
    """Return the import names of the dependencies by where they are declared: "core", an extra, or "dev"."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {
        "core": project["project"]["dependencies"],
        **project["project"]["optional-dependencies"],
        **project["dependency-groups"],
    }
    return {
        group: frozenset(
            import_name(text) for text in requirements if isinstance(text, str)
        )  # skips include-group
        for group, requirements in groups.items()
    }


def import_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    distribution = normalize(match[0])
    if distribution in IMPORT_NAMES:
        return IMPORT_NAMES[distribution]
    names = [
        name
        for name, owners in packages_distributions().items()
        if distribution in map(normalize, owners) and not name.startswith("_")
    ]
    alike = distribution.replace("-", "_")
    return next((name for name in names if name.lower() == alike), names[0] if names else alike)


def normalize(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def third_party(found: Iterable[Import]) -> tuple[Import, ...]:
    ours = {
        *PACKAGES,
        "tests",
        "bench",
        "docs",
        "experiments",
        "scripts",
        "release",
        "__future__",
    } | sys.stdlib_module_names
    return tuple(each for each in found if each.target.partition(".")[0] not in ours)


@cache
def imports_of_tests() -> tuple[Import, ...]:
    found: list[Import] = []
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += read_imports(path.relative_to(REPOSITORY).as_posix(), tree)
    return third_party(found)


def test_every_declared_dependency_is_imported() -> None:
    imported = {each.target for package in PACKAGES for each in imports(package)}
    imported |= {each.target for each in imports_of_tests()}
    needless = RUN_AS_COMMANDS | set(LOADED_BY_NAME)
    fail_on(
        f"pyproject.toml declares {name} ({group}), and no module of the packages or the tests imports it"
        for group, names in declared().items()
        for name in names - imported - needless
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_third_party_import_is_declared(package: str) -> None:
    always = declared()["core"] | (frozenset[str]() if package == "fer_edge" else declared()["train"])
    optional = frozenset[str]().union(
        *(names for group, names in declared().items() if group not in ("train", "dev")), UNDECLARED
    )
    broken = []
    for each in third_party(imports(package)):
        if each.target in always or (each.lazy and each.target in optional):
            continue
        if each.target in optional:
            broken.append(f"{each}: it is optional here, import it inside the function that needs it")
        else:
            broken.append(f"{each}: pyproject.toml does not declare it for {package}")
    fail_on(broken)


def test_every_third_party_import_of_the_tests_is_declared() -> None:
    known = frozenset[str]().union(*declared().values(), UNDECLARED)
    fail_on(
        f"{each}: pyproject.toml does not declare it"
        for each in imports_of_tests()
        if each.target not in known
    )


# --------------------------------------------------------------------------- modules loaded at startup


@pytest.mark.parametrize(
    "module",
    [
        "fer_edge.cli.main",
        "fer_edge.classification.classifier",
        "fer_train.data.dataset",
        "fer_train.evaluation.metrics",
        "fer_convert.verification.verify",
        "fer_convert.tflite.attach",
    ],
)
def test_the_runtime_loads_no_desktop_packages(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.split())
    assert module.partition(".")[0] in loaded
    heavy = (declared()["train"] | {"mediapipe", "jax", "torch", "ray", "pyarrow"}) - {"flatbuffers"}
    assert not loaded & heavy, f"{module} loads {sorted(loaded & heavy)}"
