"""The bill of materials: what a folder of wheels contains, as CycloneDX 1.6 in JSON.

``python -m release.sbom FOLDER NAME OUT`` writes that of the package NAME. FOLDER holds its wheel and those it needs.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fer_edge.runtime.atomic_files import staged_file
from release.distribution import Distribution, NativeLibrary, read_wheel
from release.licenses import find_native_license, find_problems

__all__ = ["build_sbom", "main"]

_SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_NAMESPACE: Final = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs, RFC 9562


def build_sbom(
    distributions: Iterable[Distribution], subject: str, when: int | None = None
) -> dict[str, Any]:
    """Build the document about the package ``subject``; equal input gives an equal document.

    ``when`` are seconds since 1970, None leaves the time out. Raises KeyError: ``subject`` is not among them.
    """
    by_name = {found.name: found for found in sorted(distributions, key=lambda found: found.name)}
    main_component = _component(by_name[subject]) | {"type": "application"}
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": main_component},
        "components": [_component(found) for name, found in by_name.items() if name != subject],
        "dependencies": [
            {
                "ref": _purl(found),
                "dependsOn": [_purl(by_name[name]) for name in found.requires if name in by_name],
            }
            for found in by_name.values()
        ],
    }
    if when is not None:
        document["metadata"]["timestamp"] = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    serial = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "serialNumber": f"urn:uuid:{serial}",
    } | document


def _purl(found: Distribution) -> str:
    return f"pkg:pypi/{found.name}@{found.version}"


def _component(found: Distribution) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(found),
        "name": found.name,
        "version": found.version,
        "purl": _purl(found),
        "licenses": [{"expression": found.license}],
    }
    if found.sha256 is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": found.sha256}]
    if found.native:
        component["components"] = [_native_component(found, library) for library in found.native]
    return component


def _native_component(owner: Distribution, library: NativeLibrary) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{_purl(owner)}#{library.name}",
        "name": library.name,
    }
    if library.version:
        component["version"] = library.version
    license_ = find_native_license(library.name)
    if license_ is not None:
        component["licenses"] = [{"expression": license_}]
    return component


def main(arguments: list[str]) -> int:
    """Write the document; return exit status 1 if a license is new."""
    folder, subject, target = arguments
    distributions = [read_wheel(path) for path in sorted(Path(folder).glob("*.whl"))]
    problems = list(find_problems(found for found in distributions if found.name != subject))
    for problem in problems:
        print(f"Error: {problem}; check it and add it to release/licenses.py", file=sys.stderr)
    if problems:
        return 1
    when = os.environ.get("SOURCE_DATE_EPOCH")
    document = build_sbom(distributions, subject, None if when is None else int(when))
    with staged_file(Path(target)) as part:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{target}: {len(distributions)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
