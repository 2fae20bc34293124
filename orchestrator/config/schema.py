"""The JSON schema of a configuration file, for editors. It says less than loading checks."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from orchestrator.config.models import Config


class _Schema(GenerateJsonSchema):
    """A key without a value is an error, so that `null` is no alternative anywhere."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:  # noqa: ANN401 - pydantic-core's own
        """Leave the null out."""
        return self.generate_inner(schema["schema"])


def schema_text() -> str:
    """Return the schema as JSON text: sorted, indented, with a newline at the end."""
    schema = Config.model_json_schema(schema_generator=_Schema)
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "fleet-patch-orchestrator configuration",
    }
    tidy = {**_without_noise(schema), **head}
    return json.dumps(tidy, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _without_noise(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Drop the titles that repeat a key's name, and defaults that are no value."""
    if isinstance(value, list):
        return [_without_noise(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_noise(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
        and not (key == "default" and (item is None or isinstance(item, dict)))
    }
