"""Make the pictures of the web page that the documentation shows: ``python -m tests.console.screenshots``."""

import json
import shutil
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.console.conftest import CHROMIUM, Site, console_server
from tests.testbed.lifetimes import dying_engine, short_folder
from tests.testbed.server import REPOSITORY
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until

PICTURES = REPOSITORY / "docs/pictures"
_TRACE = b"""\
ERROR checkout failed for order 4711
java.lang.IllegalStateException: payment was declined
    at shop.Checkout.pay(Checkout.java:87)
    at shop.Checkout.run(Checkout.java:41)
Caused by: java.net.SocketTimeoutException: read timed out
    at shop.Bank.ask(Bank.java:23)
"""


def main() -> int:
    """Make them all; returns the exit status."""
    PICTURES.mkdir(exist_ok=True)
    path = shutil.which(CHROMIUM)
    with short_folder() as folder, console_server(folder) as (_, site), dying_engine(folder) as engine:
        play(engine, site)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            take(browser, site, PICTURES / "console-light.png", width=1280, scheme="light")
            take(browser, site, PICTURES / "console-dark.png", width=1280, scheme="dark", search="declined|slow")
            take(browser, site, PICTURES / "console-phone.png", width=390, scheme="light")
            browser.close()
    return 0


def play(engine: Engine, site: Site) -> None:
    """Have some containers of a shop print."""
    containers = {}
    for service in ("web", "checkout", "database"):
        made = engine.create()
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": service}
        made.info.update({"ContainerName": f"/shop-{service}-1", "ContainerLabels": labels})
        made.start()
        containers[service] = made
    for number in range(60):
        status = 503 if number % 17 == 5 else 200
        request = f'"GET /cart/{number} HTTP/1.1" {status}'
        line = f"10.0.0.{number % 7} {request} {number * 37 % 900} \x1b[36m{number % 9}ms\x1b[0m\n"
        containers["web"].print(line.encode())
        if number % 6 == 2:
            event = {"level": "warn", "msg": "slow query", "ms": 200 + number, "table": "orders"}
            containers["database"].print(json.dumps(event).encode() + b"\n")
        if number in (20, 45):
            containers["checkout"].print(_TRACE)
        if number % 20 == 19:
            time.sleep(1)  # so that the histogram has more than one bar
    wait_until(lambda: len(site.get("/api/overview")["containers"]) == len(containers), "all are listed")


def take(browser: Browser, site: Site, path: Path, *, width: int, scheme: str, search: str = "") -> None:
    """Take a picture of the page."""
    context = browser.new_context(
        viewport={"width": width, "height": 720},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.goto(f"{site.url}/#{f'q={search}&range=all' if search else ''}")
    expect(page.locator("#containers")).to_contain_text("shop-web-1")
    expect(page.locator("#log .row").nth(5)).to_be_visible()
    if search:
        expect(page.locator("#histogram")).to_be_visible()
    page.wait_for_timeout(1000)
    page.screenshot(path=path)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
