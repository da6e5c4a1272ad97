"""A real Chromium on the review page, driven by the keyboard, for tests and for the pictures in the docs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait


class Browser:
    """One window with a profile of its own."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        assert chromium and driver, "install Debian's chromium and chromium-driver"
        options = Options()
        options.binary_location = chromium
        own = ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars", "disable-gpu")
        for word in (*own, f"window-size={width},{height}"):
            options.add_argument(f"--{word}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, Service(driver))

    def open(self, link: str) -> None:
        """Go to a link of ``critique-coder review``, and wait until the page can be used."""
        self.driver.get(link)
        self.until(lambda: self.ready())

    def ready(self) -> bool:
        """Whether the page's script has started."""
        return bool(self.run("return document.documentElement.dataset.ready && location.pathname !== '/enter'"))

    def run(self, script: str, *values: object) -> Any:
        """What a script of the test answers."""
        return self.driver.execute_script(script, *values)

    def until(self, holds: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something holds."""
        WebDriverWait(self.driver, seconds, 0.02).until(lambda _: holds())

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other, on whatever has the focus."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def judge(self, *keys: str) -> str:
        """Give a verdict by keys, wait for the next item, and answer which that is; longer than a slip on the key."""
        before = self.ref()
        self.run("return new Promise((resolve) => setTimeout(resolve, 160))")
        self.keys(*keys)
        self.until(lambda: self.ref() != before)
        return self.ref()

    def ref(self) -> str:
        """The name of the item on the screen; empty at the end."""
        return str(self.run("return JSON.parse(document.querySelector('[data-part]').dataset.part).ref ?? ''"))

    def one(self, css: str) -> WebElement:
        """The one element of a selector."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def text(self, css: str = "body") -> str:
        """The text that a person sees of an element."""
        return self.one(css).text

    def saved(self) -> None:
        """Wait until everything that was sent is with the server."""
        self.until(lambda: self.one("#saving").get_attribute("data-state") == "saved")
        self.until(lambda: not self.run("return Object.keys(localStorage).some((name) => name.includes('/out/'))"))

    def looks(self, width: int, height: int, dark: bool = False, narrow: bool = False) -> None:
        """Size and colours as of a screen; ``narrow``: as of a telephone."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": narrow}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def poor_contrast(self) -> list[str]:
        """Texts that can hardly be read where they stand."""
        script = Path(__file__).with_name("review_contrast.js").read_text(encoding="utf-8")
        return cast("list[str]", self.run(script))

    def forget(self) -> None:
        """Forget who is let in, so that another person can open their link in the same window."""
        self.driver.delete_all_cookies()

    def complaints(self) -> list[str]:
        """What the browser's console holds of errors since it was asked last."""
        log = cast("list[dict[str, str]]", self.driver.get_log("browser"))  # type: ignore[no-untyped-call]
        return [line["message"] for line in log if line["level"] in ("SEVERE", "WARNING")]


@contextmanager
def browser(width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """A window that is closed at the end."""
    window = Browser(width, height)
    try:
        yield window
    finally:
        window.driver.quit()
