"""The text of a file that a configuration names. Only reads."""

from pathlib import Path

from orchestrator.config.problems import Wrong


def read_text(path: Path, most: int, too_large: str) -> str:
    """Return a file's text, of at most so many bytes of UTF-8. Raises `Wrong`; `too_large` is the
    fix for a file that has more."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Wrong(f"{path} cannot be read: {reason}", "check path and rights") from None
    except ValueError:  # not UTF-8, or a NUL in the path
        raise Wrong(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    if len(content) > most:
        raise Wrong(f"{path} is larger than {most >> 20} MiB", too_large)
    return text
