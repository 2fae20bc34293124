"""What every mapping of a configuration file has in common: known keys, strict types."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator
from pydantic.fields import FieldInfo


class Keys(BaseModel):
    """A mapping whose keys are known: any other key is an error, and so is any other type."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        defer_build=True,  # only what is validated by itself is worth a validator of its own
    )


def names_of(model: type[Keys]) -> dict[str, FieldInfo]:
    """Return the keys of a mapping as a file spells them, with what stands behind each."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def forms(
    wanted: str, *, number: bool = False, mapping: bool = False, listed: bool = False
) -> Discriminator:
    """Choose by form: a text, a number, a mapping, a list. The tags `<…>` are no keys of the
    file."""

    def form(value: Any) -> str | None:  # noqa: ANN401 - whatever the file holds
        if isinstance(value, str):
            return "<text>"
        if isinstance(value, dict | Keys) and mapping:
            return "<mapping>"
        if isinstance(value, list) and listed:
            return "<list>"
        return "<number>" if number and type(value) is int else None

    return Discriminator(form, custom_error_type="form", custom_error_message=f"not {wanted}")
