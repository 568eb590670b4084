"""Each check between the files of a release and the registry rejects a bad case."""

import hashlib
import subprocess
import sys
from pathlib import Path

import digests
import published
import pytest
from digests import Mismatch

PUBLISH = Path(digests.__file__).parent
WHEEL, SDIST = "it-1.2.3-py3-none-any.whl", "it-1.2.3.tar.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dist"
    made.mkdir()
    (made / WHEEL).write_bytes(b"a wheel")
    (made / SDIST).write_bytes(b"an sdist")
    return made


class TestDigests:
    def test_a_job_passes_the_digests_in_one_line(self, folder: Path) -> None:
        said = subprocess.check_output([sys.executable, PUBLISH / "digests.py", folder], text=True)
        assert said == f"{WHEEL}={sha(b'a wheel')} {SDIST}={sha(b'an sdist')}\n"
        digests.hold(folder, said, said)

    @pytest.mark.parametrize("name", [WHEEL, SDIST])
    def test_a_changed_byte_is_rejected(self, folder: Path, name: str) -> None:
        told = digests.text(digests.digests(folder))
        (folder / name).write_bytes((folder / name).read_bytes()[:-1] + b"!")
        with pytest.raises(Mismatch, match=f"not the files that were built and tested: {name} is "):
            digests.hold(folder, told)

    def test_one_file_more_and_one_less_are_rejected(self, folder: Path) -> None:
        told = digests.text(digests.digests(folder))
        (folder / "it-1.2.3-cp311-none-any.whl").write_bytes(b"for one Python")
        with pytest.raises(Mismatch, match=r"it-1\.2\.3-cp311-none-any\.whl is .*, and None was expected"):
            digests.hold(folder, told)
        (folder / "it-1.2.3-cp311-none-any.whl").unlink()
        (folder / SDIST).unlink()
        with pytest.raises(Mismatch, match=f"{SDIST} is None"):
            digests.hold(folder, told)

    @pytest.mark.parametrize("at", [0, 1])
    def test_the_digests_of_both_jobs_must_agree(self, folder: Path, at: int) -> None:
        told = [digests.text(digests.digests(folder))] * 2
        for other in ("", "\n", f"{WHEEL}={sha(b'another')} {SDIST}={sha(b'an sdist')}"):
            told[at] = other
            with pytest.raises(Mismatch):
                digests.hold(folder, *told)

    @pytest.mark.parametrize("told", [["", ""], [""], []], ids=str)
    def test_the_command_says_why_and_fails(self, folder: Path, told: list[str]) -> None:
        command = [sys.executable, str(PUBLISH / "digests.py"), str(folder), "--are", *told]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 1
        assert run.stderr == "rejected: the digests of the files must be given, got none\n"


class TestPublished:
    """pip's output is simulated here: `make release-check` has the real one."""

    BUILT = f"{WHEEL}={'0' * 64}"

    def test_it_waits_until_the_registry_has_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = iter(["ERROR: No matching distribution found", "ERROR: No matching distribution found", ""])
        monkeypatch.setattr(published, "fetch", lambda name, digest: next(answers))
        assert self.BUILT in published.published(self.BUILT, tries=3, seconds=0)
        assert list(answers) == []

    def test_a_missing_file_is_reported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(published, "fetch", lambda name, digest: "ERROR: No matching distribution found")
        with pytest.raises(Mismatch, match=f"no {WHEEL} that can be fetched\nERROR: No matching"):
            published.published(self.BUILT, tries=2, seconds=0)

    def test_other_bytes_are_reported_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said = iter(["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."])
        monkeypatch.setattr(published, "fetch", lambda name, digest: next(said))
        with pytest.raises(Mismatch, match=f"another {WHEEL} than was built"):
            published.published(self.BUILT, tries=3, seconds=0)

    def test_missing_digests_are_rejected(self) -> None:
        with pytest.raises(Mismatch, match="the digests of the files must be given"):
            published.published("")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
