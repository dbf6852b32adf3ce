"""The deliberate errors of all areas: what each list_*.py names, read and checked for form."""

import importlib.util
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
MEMBERS = {"name", "row", "file", "old", "new", "caught_by"}
CATCHERS = re.compile(r"(unit|fuzz)_\w+|build|tests/(e2e|house)/\w+\.py(::[\w\[\]., -]+)?")


def load_list(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MUTANTS


def load_all():
    """[{name, row, file, old, new, caught_by}] of every list."""
    return [mutant for path in sorted(FOLDER.glob("list_*.py")) for mutant in load_list(path)]


def fault_of(mutant):
    """Why this mutant cannot be tried, or None."""
    name = mutant.get("name", "?")
    if set(mutant) != MEMBERS:
        return f"{name}: its members are {sorted(mutant)}, not {sorted(MEMBERS)}"
    if not CATCHERS.fullmatch(mutant["caught_by"]):
        return f"{name}: nothing is called {mutant['caught_by']}"
    path = ROOT / mutant["file"]
    if not path.is_file():
        return f"{name}: there is no {mutant['file']}"
    found = path.read_text().count(mutant["old"])
    if found != 1:
        return f"{name}: its text stands {found} times in {mutant['file']}"
    if mutant["old"] == mutant["new"]:
        return f"{name}: changes nothing"
    return None
