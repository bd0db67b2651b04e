"""What a process can still take, as Linux says it."""

import os

from lsd.system.memory import available


def test_the_least_of_machine_and_groups(tmp_path) -> None:
    assert available(root=tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:  8000 kB\nMemAvailable:    4000 kB\n")
    assert available(root=tmp_path) == 4000 << 10
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/job/step\n")
    job = tmp_path / "sys" / "fs" / "cgroup" / "job"
    (job / "step").mkdir(parents=True)
    for folder, limit, used in ((job, 3_000_000, 1_000_000), (job / "step", "max", 900_000)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.stat").write_text(f"anon {used}\nfile 5\n")
    assert available(root=tmp_path) == 2_000_000
    (job / "step" / "memory.max").write_text("800000\n")
    assert available(root=tmp_path) == 0


def test_memory_that_processes_share_is_taken(tmp_path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/\n")
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("3000000\n")
    (group / "memory.stat").write_text("anon 1000000\nfile 700000\nshmem 500000\n")
    assert available(root=tmp_path) == 1_500_000


def test_here_it_is_less_than_the_machine_has() -> None:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = available()
    assert found is None or 0 < found < pages
