"""The command: what it refuses."""

import pytest
import run


@pytest.mark.parametrize("port", ["80000", "-1", "80", "x"])
def test_a_port_that_is_none_is_told(port, capsys):
    """By the usage and status 2."""
    with pytest.raises(SystemExit) as ended:
        run.main(["--port", port])
    assert ended.value.code == 2
    assert "--port: must be 0 or a whole number from 1024 to 65535" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_told(tmp_path, capsys):
    """A file stands there already, or above it."""
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below"):
        with pytest.raises(SystemExit) as ended:
            run.main(["--data", str(folder)])
        assert ended.value.code == 2
        assert f"--data: {folder}: " in capsys.readouterr().err


def test_after_the_last_port_comes_any_free_one():
    """There is none after 65535."""
    with run.listen(65535), run.listen(65535) as other:
        assert other.getsockname()[1] != 65535
