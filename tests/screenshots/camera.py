"""Takes a part of a page as a picture that is sharp, and small enough for a README."""

from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, ViewportSize

WINDOW: Final[ViewportSize] = {"width": 1280, "height": 1400}
MOST_BYTES: Final = 300_000
_COLOURS: Final = (256, 128, 64)
_MARGIN: Final = 16
"""px around what is taken."""
_FADED: Final = 1_000
"""ms until a dialog has opened, and a press on it is no longer seen."""


class Camera:
    """One page and the folder for its pictures."""

    def __init__(self, page: Page, folder: Path) -> None:
        """Size the page for the pictures, and take none yet."""
        page.set_viewport_size(WINDOW)
        self._page = page
        self._folder = folder
        folder.mkdir(parents=True)

    def take(self, name: str, *parts: Locator) -> None:
        """Keep the part of the page in which all these lie."""
        png = self._page.screenshot(animations="disabled", clip=_around(parts))
        (self._folder / f"{name}.png").write_bytes(small(png))

    def take_dialog(self, name: str, dialog: Locator) -> None:
        """Keep a dialog, on an even ground."""
        page = self._page.locator("home-assistant-main")
        page.evaluate("page => page.style.visibility = 'hidden'")
        # A field that has the focus looks different, with a cursor that blinks.
        dialog.evaluate("() => { let e = document; while (e = (e.shadowRoot || e).activeElement) e.blur() }")
        self._page.mouse.move(0, 0)
        self._page.wait_for_timeout(_FADED)
        self.take(name, dialog.get_by_role("dialog"))
        page.evaluate("page => page.style.visibility = ''")


def small(png: bytes) -> bytes:
    """Return a PNG in as many colours as MOST_BYTES allow; raises ValueError where they allow none."""
    with Image.open(BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    for colours in _COLOURS:
        content = BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
        if content.tell() <= MOST_BYTES:
            return content.getvalue()
    raise ValueError(f"A picture of {picture.width} × {picture.height} takes {content.tell()} bytes.")


def _around(parts: tuple[Locator, ...]) -> FloatRect:
    """Return the rectangle (px) in which all these lie, and a margin."""
    boxes = []
    for part in parts:
        part.wait_for()
        box = part.bounding_box()
        assert box, part
        boxes.append(box)
    left, top = min(box["x"] for box in boxes) - _MARGIN, min(box["y"] for box in boxes) - _MARGIN
    right = max(box["x"] + box["width"] for box in boxes) + _MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + _MARGIN
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
