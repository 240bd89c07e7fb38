#!/usr/bin/env bash
# label: tree
# Is what the pages say still there? Every link, every path and every function that they name must
# exist, and docs/env.md must describe the environment variables that are read, each once, and no
# others.
set -euo pipefail

cd "${FASTGPU_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}"
python3 - <<'PYTHON'
import glob
import os
import re
import subprocess

PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/env.md",
         "docs/walk.md", "docs/workload.md", "docs/optimize.md",
         "docs/report.md", "docs/machine.md", "docs/graph.md", "docs/gpu.md",
         "machines/README.md"] + sorted(glob.glob("docs/decisions/*.md"))
# What a build, a run or a user makes, and patterns of names.
MADE = re.compile(r"^(build|demo-output)/|[<>*{]|\.\.\.|:$")
wrong = []


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


files = [path for path in subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True,
    check=True).stdout.split("\n") if os.path.isfile(path)]
code = {path: read(path) for path in files
        if path.endswith((".c", ".h", ".py", ".sh", ".cmake", ".txt", ".bash"))
        or path.startswith(("tools/", ".ci/")) or path == "Makefile"}
words = set(re.findall(r"\w+", "\n".join(list(code.values()) + files)))
folders = {os.path.dirname(path[:i]) for path in files for i in range(len(path) + 1)}
tops = {path.split("/")[0] for path in files if "/" in path} | {"base", "core", "mem", "dev",
                                                                 "run", "api", "model", "policy"}

links = names = 0
for page in PAGES:
    text = read(page)
    here = os.path.dirname(page)
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        links += 1
        if "://" not in target and not os.path.exists(os.path.join(here, target)):
            wrong.append(f"{page}: the link to {target} leads nowhere")
    for name in re.findall(r"`([^`\s]+)`", re.sub(r"(?ms)^```.*?^```", "", text)):
        names += 1
        path = name.rstrip("/")
        if MADE.search(name):
            continue
        if "/" in path and path.split("/")[0] in tops:
            places = [path, "src/" + path, "src/" + path + ".c", "include/" + path]
            if not any(os.path.exists(place) for place in places):
                wrong.append(f"{page}: there is no {name}")
        elif "/" not in path and re.fullmatch(r"\w+\.(c|h|sh|py|md|txt)", path):
            if not any(file.endswith("/" + path) or file == path for file in files):
                wrong.append(f"{page}: there is no file {name}")
        elif re.fullmatch(r"[a-z]+_[a-z_0-9]+(\(\))?", path) and path.rstrip("()") not in words:
            wrong.append(f"{page}: there is no {name} in the sources")

# Variables: who reads them, and the tables' first columns.
page = "docs/env.md"
described = [name for row in re.findall(r"(?m)^\| (`[^|]+`) \|", read(page))
             for name in re.findall(r"`([A-Z][A-Z0-9_.]+)`", row)]
sections = re.split(r"(?m)^## ", read(page))
for section in sections:
    found = re.findall(r"(?m)^\| `([A-Z_0-9.]+)` \|", section)
    wrong += [f"{page}: {name} stands twice under one heading"
              for name in sorted(set(found)) if found.count(name) > 1]
readers = {}
for path, text in code.items():
    if path == "tests/cli/tidy.sh":  # plants such calls
        continue
    for name in re.findall(r"getenv\(\s*\"(\w+)\"", text):
        readers.setdefault(name, path)
    if path.endswith((".sh", ".bash")) or path.startswith(("tools/", ".ci/")):
        for name in re.findall(r"\$\{((?:FASTGPU|FAKE|JOBS|CMAKE|KEEP|CTEST)\w*):?[-?}]", text):
            readers.setdefault(name, path)
        for name in re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", text):
            readers.setdefault(name, path)
foreign = {"PATH"}  # means what it means everywhere
given = read("cmake/Tests.cmake") + read("Makefile") + read("CMakePresets.json")
for name, path in sorted(readers.items()):
    if name not in described and name not in foreign:
        wrong.append(f"{path}: {name} is read, but {page} does not describe it")
for name in sorted(set(described)):
    if name in readers or re.search(rf"\b{re.escape(name)}\b", given):
        continue
    if name.startswith("FAKECL_") and f'"{name[7:]}"' in code["tests/fakeicd/state.c"]:
        continue
    wrong.append(f"{page}: {name} is described, but nothing reads it")

if links < 5 or names < 100 or len(described) < 10 or len(readers) < 10:
    wrong.append(f"only {links} links, {names} names, {len(described)} variables described and "
                 f"{len(readers)} read were found: this test is wrong")
for line in wrong:
    print(line)
if wrong:
    raise SystemExit(1)
print(f"{links} links, {names} names and {len(described)} variables are true")
PYTHON
