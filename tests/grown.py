"""A copy of the tree with something added, built: for tests of what an addition takes. Files that are as they were keep their time, so
that little is built again."""

import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]


def change(text, changes):
    """changes: (what is there exactly once, what is put in its place); None stands for the end of the text."""
    for place, instead in changes:
        if place is None:
            text += instead
        else:
            assert text.count(place) == 1, f"occurs {text.count(place)} times:\n{place}"
            text = text.replace(place, instead)
    return text


def copy_tree(tree, edits):
    """edits: {name of a file: text -> text}; what is no file of the tree yet is made of an empty text."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    names = {name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()}
    wanted = names | set(edits)
    for path in tree.glob("[!b]*/**/*") if tree.is_dir() else ():
        if path.is_file() and path.relative_to(tree).as_posix() not in wanted:
            path.unlink()
    for name in sorted(wanted):
        source, target = ROOT / name, tree / name
        text = source.read_bytes() if name in names else b""
        if name in edits:
            text = edits[name](text.decode()).encode()
        if not target.is_file() or target.read_bytes() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
            if name in names:
                shutil.copymode(source, target)


def run_in(tree, *command):
    """Its output; fails where it fails."""
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def build(tree, *targets):
    run_in(tree, "cmake", "--preset", "dev")
    run_in(tree, "cmake", "--build", "build/dev", "-j", "2", "--target", *targets)
