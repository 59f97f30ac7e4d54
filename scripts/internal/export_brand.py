"""Exports the SVGs in docs/brand as the PNGs that Home Assistant shows."""

from pathlib import Path
import sys
from typing import Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).parents[2]
DRAWINGS: Final = ROOT / "docs" / "brand"
BRAND: Final = ROOT / "custom_components" / "goodwe_sec1000" / "brand"
HEIGHTS: Final = {"": 256, "@2x": 512}


def export(chromium: str) -> None:
    """Write one PNG of each drawing and size, with a transparent background."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for drawing in sorted(DRAWINGS.glob("*.svg")):
            for suffix, height in HEIGHTS.items():
                page = browser.new_page(viewport={"width": 4 * height, "height": height})
                page.set_content(
                    f"<style>body{{margin:0}}svg{{height:{height}px;display:block}}</style>{drawing.read_text()}"
                )
                page.locator("svg").screenshot(
                    path=BRAND / f"{drawing.stem}{suffix}.png", omit_background=True
                )
                page.close()
        browser.close()


if __name__ == "__main__":
    export(sys.argv[1])
