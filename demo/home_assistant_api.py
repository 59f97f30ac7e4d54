"""Home Assistant's own API, as its frontend uses it: login, flows, entries, dashboards."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp

from .errors import DemoError

USER: Final = "demo"
PASSWORD: Final = "demo"  # noqa: S105 - on loopback, and printed

_POLL_INTERVAL_S: Final = 0.25
_RESPONSE_TIMEOUT: Final = aiohttp.ClientTimeout(total=90)
_FLOWS: Final = "/api/config/config_entries/flow"
_ENTRIES: Final = "/api/config/config_entries/entry"
_MAX_STEPS: Final = 10

type Json = dict[str, Any]
type Answers = Mapping[str, Mapping[str, object]]
"""Values to enter in a flow, by step and field; other fields keep their suggested values."""


class ApiError(DemoError):
    """Home Assistant refused a request."""


class FormError(ApiError):
    """A form of a flow was shown again with errors."""

    def __init__(self, step_id: str, errors: Mapping[str, str]) -> None:
        """Name the step, and its errors by field."""
        super().__init__(f"The form {step_id!r} was shown again with {dict(errors)}.")
        self.errors = errors


class HomeAssistantApi:
    """A session with one Home Assistant inside its context."""

    def __init__(self, address: str) -> None:
        """Connect to an address such as http://127.0.0.1:8123."""
        self._address = address
        self._client_id = f"{address}/"
        self._session = aiohttp.ClientSession(address, timeout=_RESPONSE_TIMEOUT)
        self._token: Json = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._token:
                await self.post("/auth/revoke", form={"token": self._token["refresh_token"]})
        except aiohttp.ClientError, TimeoutError, ApiError:
            pass  # Home Assistant has stopped; a token in the folder of a demo does no harm.
        finally:
            await self._session.close()

    async def wait_until_responding(self) -> None:
        """Return once it responds; the caller sets the timeout."""
        while True:
            try:
                async with self._session.get("/manifest.json") as response:
                    if response.status == HTTPStatus.OK:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(_POLL_INTERVAL_S)

    async def wait_until_running(self) -> None:
        """Return once the startup is complete; the caller sets the timeout."""
        while True:
            config = await self.get("/api/config")
            if config["recovery_mode"]:
                raise ApiError("Home Assistant started in recovery mode: its configuration is broken.")
            if config["state"] == "RUNNING":
                return
            await asyncio.sleep(_POLL_INTERVAL_S)

    async def log_in(self) -> bool:
        """Log in, after creating the user if there is none; return whether it is new."""
        created = await self._create_user()
        code = created or await self._request_code()
        self._token = await self.post(
            "/auth/token",
            form={"grant_type": "authorization_code", "code": code, "client_id": self._client_id},
        )
        self._session.headers["Authorization"] = f"Bearer {self._token['access_token']}"
        return created is not None

    async def get(self, path: str) -> Any:
        """Return the response of the REST API; raises ApiError if it is refused."""
        async with self._session.get(path) as response:
            return await _content(response)

    async def post(self, path: str, json: Json | None = None, form: Json | None = None) -> Json:
        """Return the response to an object (or form); raises ApiError if it is refused."""
        async with self._session.post(path, json=json, data=form) as response:
            content: Json = await _content(response)
            return content

    async def entries(self, domain: str) -> list[Json]:
        """Return the enabled config entries of an integration."""
        entries: list[Json] = await self.get(f"{_ENTRIES}?domain={domain}")
        return [entry for entry in entries if entry["disabled_by"] is None]

    async def add_entry(self, domain: str, answers: Answers) -> None:
        """Set up an integration through its config flow."""
        step = await self._walk(await self.post(_FLOWS, {"handler": domain}), answers)
        if step["type"] != "create_entry":
            raise ApiError(f"The config flow ended with {step.get('reason', step['type'])!r}.")

    async def remove_entry(self, entry_id: str) -> None:
        """Remove an entry; raises ApiError if it is refused."""
        async with self._session.delete(f"{_ENTRIES}/{entry_id}") as response:
            await _content(response)

    async def reconfigure_entry(self, domain: str, entry_id: str, host: str, port: int) -> None:
        """Change the address of an entry through its reconfigure flow, unless it is the same."""
        step = await self.post(_FLOWS, {"handler": domain, "entry_id": entry_id})
        if step["type"] == "form":
            suggested = _suggested_values(step)
            if (suggested["host"], int(suggested["port"])) == (host, port):
                async with self._session.delete(f"{_FLOWS}/{step['flow_id']}"):
                    return
            step = await self._walk(step, {step["step_id"]: {"host": host, "port": port}})
        if step.get("reason") != "reconfigure_successful":
            raise ApiError(f"The reconfigure flow ended with {step.get('reason', step['type'])!r}.")

    async def make_default(self, dashboard: str) -> None:
        """Make a dashboard the default, and the only one in the sidebar."""
        await self.command("frontend/set_system_data", key="core", value={"default_panel": dashboard})
        # It loads tiles from the Internet.
        for other in await self.command("lovelace/dashboards/list"):
            if other["url_path"] == "map":
                await self.command("lovelace/dashboards/delete", dashboard_id=other["id"])

    async def command(self, command: str, **data: object) -> Any:
        """Return the result of a command of the WebSocket API; raises ApiError if it is refused."""
        async with self._session.ws_connect("/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token["access_token"]})
            await socket.receive_json()
            await socket.send_json({"id": 1, "type": command, **data})
            answer = await socket.receive_json()
        if not answer.get("success"):
            raise ApiError(f"{command} was refused: {answer}")
        return answer.get("result")

    async def _create_user(self) -> str | None:
        async with self._session.get("/api/onboarding") as response:
            if response.status != HTTPStatus.OK:
                return None  # Not served once all steps are done.
            steps: list[Json] = await response.json()
        if any(step["step"] == "user" and step["done"] for step in steps):
            return None
        answer = await self.post(
            "/api/onboarding/users",
            {
                "name": "Demo",
                "username": USER,
                "password": PASSWORD,
                "client_id": self._client_id,
                "language": "en",
            },
        )
        return str(answer["auth_code"])

    async def _request_code(self) -> str:
        flow = await self.post(
            "/auth/login_flow",
            {
                "client_id": self._client_id,
                "handler": ["homeassistant", None],
                "redirect_uri": self._client_id,
            },
        )
        step = await self.post(
            f"/auth/login_flow/{flow['flow_id']}",
            {"client_id": self._client_id, "username": USER, "password": PASSWORD},
        )
        if step["type"] != "create_entry":
            raise ApiError(f"The login {USER} / {PASSWORD} has been changed. --fresh starts over.")
        return str(step["result"])

    async def _walk(self, step: Json, answers: Answers) -> Json:
        """Submit the forms of a flow, and the menus that have an answer, until it ends; return its result."""
        for _ in range(_MAX_STEPS):
            step_id = str(step.get("step_id"))
            if step["type"] != "form" and not (step["type"] == "menu" and step_id in answers):
                return step
            if errors := step.get("errors"):
                raise FormError(step_id, errors)
            step = await self.post(
                f"{_FLOWS}/{step['flow_id']}", {**_suggested_values(step), **answers.get(step_id, {})}
            )
        raise ApiError(f"The config flow keeps returning to its step {step_id!r}.")


async def _content(response: aiohttp.ClientResponse) -> Any:
    if not response.ok:
        raise ApiError(f"{response.url.path} answered {response.status}: {await response.text()}")
    return await response.json() if response.content_type == "application/json" else {}


def _suggested_values(step: Json) -> Json:
    """Return the values that a form suggests."""
    suggested: Json = {}
    for field in step.get("data_schema") or ():
        value = (field.get("description") or {}).get("suggested_value", field.get("default"))
        if value is not None:
            suggested[field["name"]] = value
    return suggested
