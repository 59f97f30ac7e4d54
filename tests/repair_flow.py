"""Walks through the windows of a repair as a user does, over HTTP, and sees to it that each is explained."""

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
    """One flow, and the window that it shows now."""

    def __init__(self, hass: HomeAssistant, client: TestClient[Any, Any], issue_id: str) -> None:
        self._client = client
        self._issue_id = issue_id
        issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
        assert issue
        assert issue.is_fixable
        assert issue.translation_key
        self._told: Mapping[str, str] = issue.translation_placeholders or {}
        texts = TEXTS["issues"][issue.translation_key]
        _filled_in(texts["title"], self._told)
        self._texts: Mapping[str, Any] = texts["fix_flow"]
        self.result: dict[str, Any]

    async def start(self) -> Self:
        """Open the first window."""
        return await self._post("", handler=DOMAIN, issue_id=self._issue_id)

    async def submit(self) -> Self:
        """Submit the window."""
        return await self._post(self._flow)

    async def choose(self, option: str) -> Self:
        """Choose from the menu."""
        assert option in self.options
        return await self._post(self._flow, next_step_id=option)

    async def reopen(self) -> Self:
        """Open the same window anew."""
        return await self._see(await self._client.get(self._url_of(self._flow)))

    async def close(self) -> None:
        """Close the window without an answer."""
        await self._client.delete(self._url_of(self._flow))

    async def submit_finished_flow(self) -> None:
        """Submit although there is nothing to submit any more."""
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
        """The window that is shown."""
        assert self.result["type"] in {"form", "menu"}
        assert self.text
        step: str = self.result["step_id"]
        return step

    @property
    def options(self) -> list[str]:
        """What the menu offers."""
        assert self.result["type"] == "menu"
        texts = self._texts["step"][self.result["step_id"]]
        assert set(self.result["menu_options"]) == texts["menu_options"].keys()
        assert set(self.result["menu_options"]) == texts["menu_option_descriptions"].keys()
        for text in (*texts["menu_options"].values(), *texts["menu_option_descriptions"].values()):
            _filled_in(text, self._placeholders)
        return list(self.result["menu_options"])

    @property
    def text(self) -> str:
        """The window as it is read."""
        texts = self._texts["step"][self.result["step_id"]]
        _filled_in(texts["title"], self._placeholders)
        return _filled_in(texts["description"], self._placeholders)

    @property
    def error(self) -> str | None:
        """The error as it is read, None where there is none."""
        assert self.result["type"] == "form"
        errors = self.result["errors"] or {}
        return _filled_in(self._texts["error"][errors["base"]], self._placeholders) if errors else None

    @property
    def success_text(self) -> str:
        """What is told at the good end."""
        assert self.result["type"] == "create_entry", self.result
        key = self.result["description"] or "default"
        # Here, the frontend knows nothing of the issue.
        return _filled_in(self._texts["create_entry"][key], self.result["description_placeholders"])

    @property
    def abort_reason(self) -> str:
        """Why the flow ended without mending."""
        assert self.result["type"] == "abort", self.result
        reason: str = self.result["reason"]
        assert _filled_in(self._texts["abort"][reason], self._placeholders)
        return reason

    @property
    def _placeholders(self) -> dict[str, str]:
        return {**self._told, **(self.result.get("description_placeholders") or {})}


def _filled_in(text: str, placeholders: Mapping[str, str]) -> str:
    used = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    assert used <= placeholders.keys()
    assert all(placeholders[name] for name in used)
    return text.format(**placeholders)
