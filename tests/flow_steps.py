"""Drive config and options flows as the frontend does, and check that every step has its texts."""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import string
from typing import Any, Final

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.goodwe_sec1000.const import DOMAIN

_TRANSLATIONS: Final = (
    Path(__file__).parent.parent / "custom_components" / DOMAIN / "translations" / "en.json"
)
TEXTS: Final = json.loads(_TRANSLATIONS.read_text("utf-8"))


class UserFlow:
    """One flow and its current step."""

    def __init__(self, manager: Any, category: str) -> None:
        self._manager = manager
        self._texts: Mapping[str, Any] = TEXTS[category]
        self.result: ConfigFlowResult

    async def start(self, *arguments: Any, **more: Any) -> UserFlow:
        """Start the flow."""
        return self._see(await self._manager.async_init(*arguments, **more))

    async def submit(self, **user_input: Any) -> UserFlow:
        """Submit the current step; fields that are not given keep their defaults."""
        return self._see(await self._manager.async_configure(self.result["flow_id"], user_input))

    async def choose(self, option: str) -> UserFlow:
        """Choose an option of the current step, which is a menu."""
        assert self.result["type"] is FlowResultType.MENU
        return await self.submit(next_step_id=option)

    def _see(self, result: ConfigFlowResult) -> UserFlow:
        self.result = result
        if result["type"] is FlowResultType.ABORT:
            assert result["reason"] in self._texts["abort"]
        if result["type"] is FlowResultType.FORM:
            self._check_texts()
        if result["type"] is FlowResultType.MENU:
            texts = self._texts["step"][self.step]
            assert (
                set(self.options) == texts["menu_options"].keys() == texts["menu_option_descriptions"].keys()
            )
        return self

    def _check_texts(self) -> None:
        step = self._texts["step"][self.step]
        assert step["title"]
        fields = {str(field) for field in self._schema}
        assert fields == step["data"].keys() == step["data_description"].keys()
        texts = [step["description"], *(self._texts["error"][key] for key in self.errors.values())]
        used = {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}
        assert used <= (self.result["description_placeholders"] or {}).keys()

    @property
    def step(self) -> str:
        """Id of the current step."""
        assert self.result["type"] in {FlowResultType.FORM, FlowResultType.MENU}
        return self.result["step_id"]

    @property
    def options(self) -> list[str]:
        """Options of the current step, which is a menu."""
        options = self.result["menu_options"]
        assert isinstance(options, list)
        return options

    @property
    def errors(self) -> dict[str, str]:
        """Error keys of the current step, by field."""
        return self.result["errors"] or {}

    @property
    def defaults(self) -> dict[str, Any]:
        """Default of each field but the way back."""
        return {str(field): field.default() for field in self._schema if field != "go_back"}

    @property
    def text(self) -> str:
        """Description of the current step, placeholders filled in."""
        description: str = self._texts["step"][self.step]["description"]
        return description.format(**(self.result["description_placeholders"] or {}))

    @property
    def error_text(self) -> str:
        """Error of the whole step, placeholders filled in."""
        text: str = self._texts["error"][self.errors["base"]]
        return text.format(**(self.result["description_placeholders"] or {}))

    @property
    def outcome(self) -> str:
        """Reason of the abort, or "saved"."""
        if self.result["type"] is FlowResultType.ABORT:
            return self.result["reason"]
        assert self.result["type"] is FlowResultType.CREATE_ENTRY
        return "saved"

    @property
    def _schema(self) -> dict[Any, Callable[[Any], Any]]:
        schema = self.result["data_schema"]
        assert schema is not None
        return dict(schema.schema)


async def start_setup(hass: HomeAssistant) -> UserFlow:
    """Start adding the integration."""
    walk = UserFlow(hass.config_entries.flow, "config")
    return await walk.start(DOMAIN, context={"source": SOURCE_USER})
