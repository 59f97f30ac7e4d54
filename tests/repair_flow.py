"""Drive repair flows over HTTP as the frontend does, and check that every step has its texts."""

from collections.abc import Mapping
from http import HTTPStatus
import string
from typing import Any, Self

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.goodwe_sec1000.const import DOMAIN

from .flow_steps import TEXTS

_URL = "/api/repairs/issues/fix"


class Repair:
    """One repair flow and its current step."""

    def __init__(self, hass: HomeAssistant, client: TestClient[Any, Any], issue_id: str) -> None:
        self._client = client
        self._issue_id = issue_id
        issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
        assert issue
        assert issue.is_fixable
        assert issue.translation_key
        self._issue_placeholders: Mapping[str, str] = issue.translation_placeholders or {}
        texts = TEXTS["issues"][issue.translation_key]
        _fill_in(texts["title"], self._issue_placeholders)
        self._texts: Mapping[str, Any] = texts["fix_flow"]
        self.result: dict[str, Any]

    async def start(self) -> Self:
        """Start the flow."""
        return await self._post("", handler=DOMAIN, issue_id=self._issue_id)

    async def submit(self) -> Self:
        """Submit the current step."""
        return await self._post(self._flow)

    async def choose(self, option: str) -> Self:
        """Choose an option of the menu."""
        assert option in self.options
        return await self._post(self._flow, next_step_id=option)

    async def reopen(self) -> Self:
        """Load the current step again."""
        return await self._see(await self._client.get(self._url_of(self._flow)))

    async def close(self) -> None:
        """Close the flow."""
        await self._client.delete(self._url_of(self._flow))

    async def submit_finished_flow(self) -> None:
        """Submit after the end of the flow, which is refused."""
        answer = await self._client.post(self._url_of(self._flow), json={})
        assert answer.status == HTTPStatus.NOT_FOUND

    @property
    def _flow(self) -> str:
        flow: str = self.result["flow_id"]
        return flow

    def _url_of(self, flow: str) -> str:
        return f"{_URL}/{flow}" if flow else _URL

    async def _post(self, flow: str, **data: str) -> Self:
        return await self._see(await self._client.post(self._url_of(flow), json=data))

    async def _see(self, answer: Any) -> Self:
        assert answer.status == HTTPStatus.OK, await answer.text()
        self.result = await answer.json()
        return self

    @property
    def step(self) -> str:
        """Id of the current step."""
        assert self.result["type"] in {"form", "menu"}
        assert self.text
        step: str = self.result["step_id"]
        return step

    @property
    def is_menu(self) -> bool:
        """Whether the step is one to choose from."""
        return bool(self.result["type"] == "menu")

    @property
    def options(self) -> list[str]:
        """Options of the menu."""
        assert self.result["type"] == "menu"
        texts = self._texts["step"][self.result["step_id"]]
        assert set(self.result["menu_options"]) == texts["menu_options"].keys()
        assert set(self.result["menu_options"]) == texts["menu_option_descriptions"].keys()
        for text in (*texts["menu_options"].values(), *texts["menu_option_descriptions"].values()):
            _fill_in(text, self._placeholders)
        return list(self.result["menu_options"])

    @property
    def text(self) -> str:
        """Description of the current step, placeholders filled in."""
        texts = self._texts["step"][self.result["step_id"]]
        _fill_in(texts["title"], self._placeholders)
        return _fill_in(texts["description"], self._placeholders)

    @property
    def error(self) -> str | None:
        """Error of the step, placeholders filled in; None without an error."""
        assert self.result["type"] == "form"
        errors = self.result["errors"] or {}
        return _fill_in(self._texts["error"][errors["base"]], self._placeholders) if errors else None

    @property
    def success_text(self) -> str:
        """Text shown when the fix succeeded."""
        assert self.result["type"] == "create_entry", self.result
        key = self.result["description"] or "default"
        # At this point the frontend has no placeholders of the issue.
        return _fill_in(self._texts["create_entry"][key], self.result["description_placeholders"])

    @property
    def abort_reason(self) -> str:
        """Reason why the flow was aborted."""
        assert self.result["type"] == "abort", self.result
        reason: str = self.result["reason"]
        assert _fill_in(self._texts["abort"][reason], self._placeholders)
        return reason

    @property
    def _placeholders(self) -> dict[str, str]:
        return {**self._issue_placeholders, **(self.result.get("description_placeholders") or {})}


def _fill_in(text: str, placeholders: Mapping[str, str]) -> str:
    used = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    assert used <= placeholders.keys()
    assert all(placeholders[name] for name in used)
    return text.format(**placeholders)
