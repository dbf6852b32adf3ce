"""`cmake --install` into a folder of its own: what is there, where, and that it runs."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def install(tmp_path, prefix):
    build = pathlib.Path(os.environ["RELYD_BINARY"]).resolve().parent
    subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    return {str(path.relative_to(tmp_path)): path for path in sorted(tmp_path.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/relyd"])
def test_installs_these_files_and_no_others(tmp_path, prefix):
    found = install(tmp_path, prefix)
    inside = prefix.lstrip("/")
    gateways = {f"{inside}/share/doc/relyd/gateways/{path.name}": path for path in (ROOT / "conf/gateways").iterdir()}
    assert len(gateways) > 3
    assert list(found) == sorted([*gateways, f"{inside}/bin/relyd", f"{inside}/share/man/man8/relyd.8", "etc/relyd/relyd.yaml",
                                  f"{inside}/lib/systemd/system/relyd.service"])
    assert all(found[name].read_text() == path.read_text() for name, path in gateways.items())
    assert os.access(found[f"{inside}/bin/relyd"], os.X_OK)
    unit = found[f"{inside}/lib/systemd/system/relyd.service"].read_text()
    starts = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert starts == [f"ExecStart={prefix}/bin/relyd --config /etc/relyd/relyd.yaml"]
    assert unit.replace(f"{prefix}/bin/relyd", "/usr/bin/relyd") == (ROOT / "conf/relyd.service").read_text()
    assert found["etc/relyd/relyd.yaml"].read_text() == (ROOT / "conf/relyd.yaml").read_text()


def test_what_is_installed_runs(tmp_path):
    relyd = install(tmp_path, "/usr")["usr/bin/relyd"]
    printed = subprocess.run([relyd, "--config", tmp_path / "etc/relyd/relyd.yaml", "--print-config"], check=True,
                             stdout=subprocess.PIPE, text=True)
    assert printed.stdout == (ROOT / "conf/relyd.yaml").read_text()


def test_the_administrators_configuration_stays(tmp_path):
    own = tmp_path / "etc/relyd/relyd.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    install(tmp_path, "/usr")
    assert own.read_text() == "# mine\n"


def test_workflows_configure_build_and_test():
    presets = json.loads((ROOT / "CMakePresets.json").read_text())
    listed = subprocess.run(["cmake", "--workflow", "--list-presets"], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for workflow in presets["workflowPresets"]:
        assert f'"{workflow["name"]}"' in listed.stdout
        assert [step["type"] for step in workflow["steps"]][:2] == ["configure", "build"]
    tested = {preset["name"] for preset in presets["testPresets"]}
    assert tested == {flow["name"] for flow in presets["workflowPresets"] if flow["steps"][-1]["type"] == "test"}
