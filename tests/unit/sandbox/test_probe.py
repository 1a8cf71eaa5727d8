"""Which driver is picked where: recorded places, and this machine."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from unit.sandbox.places import CONTAINER, EVERY_CAPABILITY, READ_ONLY, ROOT, UBUNTU_24_04, USER

from lambent.sandbox import probe
from lambent.sandbox.hierarchies import Missing
from lambent.sandbox.probe import Facts, Place, choose, gather, recognise, remedy_for


@pytest.mark.parametrize(
    ("facts", "driver", "better"),
    [
        pytest.param(ROOT, "namespace", [], id="root"),
        pytest.param(
            replace(ROOT, capabilities=EVERY_CAPABILITY - {"CAP_SYS_RESOURCE"}),
            "namespace",
            [],
            id="root without CAP_SYS_RESOURCE",
        ),
        pytest.param(USER, "rootless", [("namespace", "sudo lambent serve")], id="user"),
        pytest.param(replace(ROOT, place=Place.DOCKER), "namespace", [], id="docker, privileged"),
        pytest.param(
            replace(CONTAINER, place=Place.DOCKER),
            "process",
            [("namespace", "docker run --privileged"), ("rootless", "--security-opt seccomp=unconfined")],
            id="docker",
        ),
        pytest.param(
            replace(CONTAINER, place=Place.DOCKER, is_root=False),
            "process",
            [("namespace", "docker run --user root --privileged"), ("rootless", "--security-opt seccomp=unconfined")],
            id="docker, ordinary user",
        ),
        pytest.param(
            replace(USER, place=Place.DOCKER),
            "rootless",
            [("namespace", "docker run --user root")],
            id="docker, privileged, ordinary user",
        ),
        pytest.param(
            replace(CONTAINER, place=Place.DOCKER, is_userns_restricted=True),
            "process",
            [
                ("namespace", "docker run --privileged"),
                (
                    "rootless",
                    "--security-opt systempaths=unconfined; and on its machine: "
                    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
                ),
            ],
            id="docker on Ubuntu 24.04",
        ),
        pytest.param(
            replace(CONTAINER, place=Place.PODMAN, has_all_users=False, capabilities=EVERY_CAPABILITY),
            "process",
            [("namespace", "sudo podman run --privileged"), ("rootless", "unmask=ALL")],
            id="podman, rootless",
        ),
        pytest.param(
            replace(CONTAINER, place=Place.KUBERNETES),
            "process",
            [("namespace", "securityContext: {privileged: true, runAsUser: 0}")],
            id="kubernetes",
        ),
        pytest.param(
            replace(CONTAINER, place=Place.KUBERNETES, is_userns_restricted=True, is_root=False),
            "process",
            [("namespace", "securityContext: {privileged: true, runAsUser: 0}")],
            id="kubernetes on Ubuntu 24.04, ordinary user",
        ),
        pytest.param(
            replace(CONTAINER, place=Place.CONTAINER), "process", [("namespace", "security.nesting=true")], id="lxc"
        ),
        pytest.param(
            replace(UBUNTU_24_04, place=Place.GITHUB_ACTIONS),
            "process",
            [
                ("namespace", "sudo lambent serve"),
                ("rootless", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
            ],
            id="github actions",
        ),
        pytest.param(
            replace(
                ROOT,
                place=Place.WSL2,
                cgroup_version="hybrid",
                cgroups_missing=(Missing("memory", "the kernel, or who delegated /, offers no memory controller"),),
            ),
            "rootless",
            [("namespace", "kernelCommandLine = cgroup_no_v1=all")],
            id="wsl2, mixed control groups",
        ),
        pytest.param(
            replace(USER, user_namespaces_max=0, why_no_user_namespaces="no space left on device"),
            "process",
            [("namespace", "sudo lambent serve"), ("rootless", "sudo sysctl -w user.max_user_namespaces=15000")],
            id="no user namespaces",
        ),
        pytest.param(
            replace(USER, is_userns_clone_allowed=False, why_no_user_namespaces="operation not permitted"),
            "process",
            [("namespace", "sudo lambent serve"), ("rootless", "sysctl -w kernel.unprivileged_userns_clone=1")],
            id="old debian",
        ),
        pytest.param(
            replace(ROOT, has_seccomp=False), "process", [("namespace", "apt install libseccomp2")], id="no libseccomp"
        ),
        pytest.param(
            replace(ROOT, kernel=(4, 18), why_no_mounts="function not implemented", why_no_user_mounts="same"),
            "process",
            [("namespace", "a Linux kernel from 5.12 on")],
            id="old kernel",
        ),
        pytest.param(
            Facts(is_linux=False, is_root=False),
            "process",
            [("namespace", "run Lambent in a Linux machine")],
            id="macos",
        ),
    ],
)
def test_the_best_driver_that_works(facts: Facts, driver: str, better: list[tuple[str, str]]) -> None:
    """Every place gets the best driver that works, and for each better one what brings it."""
    choice = choose(facts)
    assert choice.driver == driver
    assert [entry.driver for entry in choice.better] == [name for name, _ in better]
    for entry, (_, command) in zip(choice.better, better, strict=True):
        assert command in entry.command


def test_the_reasons_are_told_in_words() -> None:
    """Who reads it knows what is missing and why, each reason once."""
    what = choose(replace(CONTAINER, place=Place.DOCKER, capabilities=EVERY_CAPABILITY)).better[0].what
    assert what == (
        "namespaces: operation not permitted; "
        "control groups: no memory, pids, cpu, freeze (/sys/fs/cgroup is mounted read-only)"
    )
    assert choose(CONTAINER).better[0].what == "root lacks CAP_NET_ADMIN, CAP_SYS_ADMIN"


def test_a_remedy_is_for_the_driver_that_was_asked_for() -> None:
    """Also where another driver works, and nothing where the driver does."""
    no_user_namespaces = replace(ROOT, why_no_user_namespaces="no space left on device", user_namespaces_max=0)
    assert remedy_for(no_user_namespaces, "rootless") == "sudo sysctl -w user.max_user_namespaces=15000"
    assert [remedy_for(ROOT, driver) for driver in ("namespace", "rootless", "process")] == ["", "", ""]


def test_apparmor_is_named() -> None:
    """Ubuntu lets user namespaces be made and takes their powers: the setting is named, not the errno."""
    assert "kernel.apparmor_restrict_unprivileged_userns is 1" in choose(UBUNTU_24_04).better[1].what


@pytest.mark.parametrize(
    ("cgroups_missing", "version", "remedy"),
    [
        (READ_ONLY, "none", "mount -t cgroup2 none /sys/fs/cgroup"),
        (READ_ONLY, "v2", "make /sys/fs/cgroup writable"),
        ((Missing("memory", "the kernel offers no memory controller"),), "v2", "cgroup_enable=memory"),
        ((Missing("cpu", "the kernel offers no cpu controller"),), "v2", "Delegate=yes"),
    ],
)
def test_control_groups_have_a_remedy(cgroups_missing: tuple[Missing, ...], version: str, remedy: str) -> None:
    """What brings them depends on what is in the way."""
    choice = choose(replace(ROOT, cgroups_missing=cgroups_missing, cgroup_version=version))
    assert (choice.driver, choice.better[0].driver) == ("rootless", "namespace")
    assert remedy in choice.better[0].command


@pytest.mark.parametrize(
    ("files", "environ", "place"),
    [
        ({}, {}, Place.MACHINE),
        ({".dockerenv": ""}, {}, Place.DOCKER),
        ({".dockerenv": ""}, {"GITHUB_ACTIONS": "true"}, Place.DOCKER),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Place.KUBERNETES),
        ({"run/.containerenv": ""}, {}, Place.PODMAN),
        ({"run/systemd/container": "lxc\n"}, {}, Place.CONTAINER),
        (
            {"proc/version": "Linux version 6.8.0-1017-azure (buildd@lcy02)"},
            {"GITHUB_ACTIONS": "true"},
            Place.GITHUB_ACTIONS,
        ),
        ({"proc/version": "Linux version 5.15.153.1-microsoft-standard-WSL2"}, {}, Place.WSL2),
        (
            {"proc/version": "Linux version 6.6.87.2-microsoft-standard-WSL2", "run/systemd/container": "wsl\n"},
            {},
            Place.WSL2,
        ),
    ],
)
def test_places_are_recognised(tmp_path: Path, files: dict[str, str], environ: dict[str, str], place: Place) -> None:
    """By the files and variables that each leaves, the innermost first."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert recognise(environ, tmp_path) is place


def needs_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("needs:linux:run the tests on Linux")


def test_this_machine_is_looked_at_and_left_alone() -> None:
    """Looking says what can be done here, leaves no mount, group or process, and takes a moment."""
    needs_linux()
    if os.geteuid() != 0:
        pytest.skip("needs:root:run the tests as root")
    if not os.access("/sys/fs/cgroup", os.W_OK):
        pytest.skip("needs:control-groups:run the tests where /sys/fs/cgroup can be written")
    mounts_before = Path("/proc/self/mountinfo").read_text()
    took_s = []
    for _ in range(3):
        begin = time.perf_counter()
        facts = gather()
        took_s.append(time.perf_counter() - begin)
    assert (facts.why_no_namespaces, facts.why_no_mounts, facts.cgroups_missing) == ("", "", ())
    assert choose(facts).driver == "namespace"
    assert Path("/proc/self/mountinfo").read_text() == mounts_before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    # Far more than what is promised, and not each time: it shares the machine with other tests.
    assert min(took_s) < 10


def test_a_machine_without_anything_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked at counts as missing, with the reason, and `process` remains."""
    needs_linux()

    def nothing(*_arguments: object, **_options: object) -> None:
        raise OSError(2, "No such file or directory")

    monkeypatch.setattr(probe.subprocess, "Popen", nothing)
    monkeypatch.setattr(probe.Hierarchies, "detect", nothing)
    monkeypatch.setattr(probe.ctypes, "CDLL", nothing)
    facts = gather({}, tmp_path)
    choice = choose(facts)
    assert choice.driver == "process"
    assert "No such file or directory" in facts.why_no_user_namespaces
    assert facts.cgroups_missing[0].why.endswith("No such file or directory")


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (("--user", "--map-root-user"), "rootless"),
        (
            ("--user", "--map-root-user", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"'),
            "process",
        ),
    ],
    ids=["root of a user namespace", "no further user namespaces"],
)
def test_lesser_places_on_this_machine(flags: tuple[str, ...], answer: str) -> None:
    """Real restrictions, made with unshare(1): what is tried fails there, and the next best is picked."""
    needs_linux()
    program = "from lambent.sandbox.probe import *; print(choose(gather()).driver)"
    command = ["unshare", *flags, sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("needs:user-namespaces:sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
    assert done.stdout.strip() == answer
