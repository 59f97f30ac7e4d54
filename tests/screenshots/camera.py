"""Screenshots of a part of a page, small enough for a README."""

from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, ViewportSize

WINDOW: Final[ViewportSize] = {"width": 1280, "height": 1400}
MAX_BYTES: Final = 300_000
_COLOURS: Final = (256, 128, 64)
_MARGIN_PX: Final = 16
_ANIMATION_MS: Final = 1_000
"""Until a dialog has opened and the effect of a click has faded."""


class Camera:
    """A page and the folder for its screenshots."""

    def __init__(self, page: Page, folder: Path) -> None:
        """Resize the page and create the folder."""
        page.set_viewport_size(WINDOW)
        self._page = page
        self._folder = folder
        folder.mkdir(parents=True)

    def take(self, name: str, *parts: Locator) -> None:
        """Save the part of the page that contains all these elements."""
        png = self._page.screenshot(animations="disabled", clip=_around(parts))
        (self._folder / f"{name}.png").write_bytes(small(png))

    def take_dialog(self, name: str, dialog: Locator) -> None:
        """Save a dialog on an empty background."""
        page = self._page.locator("home-assistant-main")
        page.evaluate("page => page.style.visibility = 'hidden'")
        # A focused field would have a blinking cursor.
        dialog.evaluate("() => { let e = document; while (e = (e.shadowRoot || e).activeElement) e.blur() }")
        self._page.mouse.move(0, 0)
        self._page.wait_for_timeout(_ANIMATION_MS)
        self.take(name, dialog.get_by_role("dialog"))
        page.evaluate("page => page.style.visibility = ''")


def small(png: bytes) -> bytes:
    """Return the PNG with as many colours as fit in MAX_BYTES; raises ValueError if none fit."""
    with Image.open(BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    for colours in _COLOURS:
        content = BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
        if content.tell() <= MAX_BYTES:
            return content.getvalue()
    raise ValueError(f"A picture of {picture.width} × {picture.height} takes {content.tell()} bytes.")


def _around(parts: tuple[Locator, ...]) -> FloatRect:
    """Return the rectangle (px) around all these elements, with a margin."""
    boxes = []
    for part in parts:
        part.wait_for()
        box = part.bounding_box()
        assert box, part
        boxes.append(box)
    left, top = min(box["x"] for box in boxes) - _MARGIN_PX, min(box["y"] for box in boxes) - _MARGIN_PX
    right = max(box["x"] + box["width"] for box in boxes) + _MARGIN_PX
    bottom = max(box["y"] + box["height"] for box in boxes) + _MARGIN_PX
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
