"""Debian's Chromium without a window, driven by its own driver: what tests do in it is what a user's browser does."""

import shutil
from contextlib import contextmanager

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from wire.support import wait_for

PROGRAMS = ("chromium", "chromedriver")

FETCH = """
const [url, { untyped, ...init }, done] = arguments;
fetch(url, untyped ? { ...init, body: new Blob([untyped]) } : init).then(
  async (answer) => done({ status: answer.status, type: answer.type, text: await answer.text(),
                           headers: Object.fromEntries(answer.headers) }),
  (error) => done({ error: error.name }),
);
"""


class Browser:
    """One tab of a browser."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url):
        """Begin to load a page: what has come of it can be looked at, and nothing of the page before."""
        self.run("window.isLeft = true")
        self.driver.get(url)
        wait_for(lambda: not self.run("return window.isLeft"))

    def read(self, url):
        """Load a page whole and return its text."""
        self.open(url)
        wait_for(lambda: self.run("return document.readyState") == "complete")
        return self.run("return document.body.innerText")

    def see(self, selector):
        """Wait until the page has an element, and return its text."""
        return self._find(selector).text

    def type(self, selector, text):
        self._find(selector).send_keys(text)

    def click(self, selector):
        self._find(selector).click()

    def _find(self, selector):
        return wait_for(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector))[0]

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def fetch(self, url, **init):
        """
        Fetch in the page's name; return status, type, text and headers, or only the error that the page gets.

        Args:
            init: what `fetch` takes, or as `untyped` a body that goes without a content type.
        """
        return self.driver.execute_async_script(FETCH, url, init)


@contextmanager
def opened(profile):
    """
    Give a browser that reaches this machine alone; end it, with all of its processes.

    Args:
        profile: an empty folder for what it writes.
    """
    programs = [shutil.which(name) for name in PROGRAMS]
    if None in programs:
        pytest.skip("needs:chromium:apt install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location, driver = programs
    # A test looks at pages that are still on their way.
    options.page_load_strategy = "none"
    for argument in (
        "--headless",
        f"--user-data-dir={profile}",
        # Its own sandbox takes no root and, elsewhere, wants a program that is not installed; the pages are ours.
        "--no-sandbox",
        # That of a container is often too small.
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-proxy-server",
        # Nothing leaves the machine, whatever the browser would like to look up. It knows *.localhost by itself.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    chrome = Chrome(options, ChromeService(driver))
    try:
        chrome.set_script_timeout(30)
        yield Browser(chrome)
    finally:
        chrome.quit()
