"""What tests have measured, by the properties that they record."""

from asyncio import create_subprocess_exec
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET


async def properties_of(tests: str, *options: str) -> list[dict[str, str]]:
    """Run these tests in a process of their own, and return what each has recorded."""
    with TemporaryDirectory() as folder:
        results = Path(folder, "results.xml")
        arguments = ["-p", "no:cacheprovider", "--junitxml", str(results), *options]
        process = await create_subprocess_exec(
            sys.executable, "-m", "pytest", *arguments, tests, stdout=sys.stderr
        )
        if await process.wait():
            raise RuntimeError(f"{tests} ended with status {process.returncode}")
        root = ET.parse(results)  # noqa: S314 - pytest wrote it
    return [
        {str(each.get("name")): each.get("value", "") for each in case.iter("property")}
        for case in root.iter("testcase")
    ]
