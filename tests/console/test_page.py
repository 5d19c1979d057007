"""The page in a real browser: what one sees and does."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import Site, console_server
from tests.console.test_access import TOKEN
from tests.testbed.lifetimes import dying_engine, short_folder
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

HOSTILE = (
    b"<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\n"
    b"\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m plain\n"
    b"\xe2\x80\xaetxt.exe\xe2\x80\xac \xff\xfe\n"
)


@pytest.fixture
def container(site: Site, site_engine: Engine) -> Container:
    return begun(site, site_engine)


def begun(site: Site, engine: Engine) -> Container:
    """Run a container that has printed a line already, so that it is in the list."""
    made = engine.run()
    made.print(b"begin\n")
    wait_until(
        lambda: made.id in {one["container_id"] for one in site.get("/api/overview")["containers"]}, "it is listed"
    )
    return made


def opened(page: Page, site: Site, *containers: Container, **choice: str) -> Page:
    """Open the page on some containers."""
    address = "&".join([*(f"container={one.id}" for one in containers), *(f"{k}={v}" for k, v in choice.items())])
    page.goto(f"{site.url}/#{address}")
    return page


def test_containers_are_listed_and_one_click_chooses(page: Page, site: Site, site_engine: Engine) -> None:
    one, other = begun(site, site_engine), begun(site, site_engine)
    one.print(b"from one\n")
    other.print(b"from the other\n")
    opened(page, site)
    expect(page.locator("#log")).to_contain_text("from the other")
    page.get_by_role("button", name=one.name).click()

    expect(page.locator("#log")).to_contain_text("from one")
    expect(page.locator("#log")).not_to_contain_text("from the other")
    page.locator("#filter").fill(other.name)
    expect(page.locator("#containers .container")).to_have_text(["All containers", re.compile(other.name)])


def test_a_live_tail_of_several_shows_what_comes(page: Page, site: Site, site_engine: Engine) -> None:
    one, other = begun(site, site_engine), begun(site, site_engine)
    opened(page, site, one, other)
    expect(page.locator("#state")).to_have_text("following")
    one.print(b"first\n")
    expect(page.locator("#log .row").last).to_contain_text("first")
    other.print(b"ERROR second\n")

    expect(page.locator("#log .row").last).to_contain_text("ERROR second")
    expect(page.locator("#log .row").last).to_have_attribute("data-level", "error")
    expect(page.locator("#log .row").last.locator(".name")).to_have_text(other.name)


def test_a_pause_leaves_no_gap(page: Page, site: Site, container: Container) -> None:
    opened(page, site, container)
    expect(page.locator("#state")).to_have_text("following")
    page.keyboard.press("f")
    expect(page.locator("#follow")).to_have_text("Follow")
    container.print(b"".join(b"while paused %d\n" % number for number in range(50)))
    wait_until(
        lambda: site.get("/api/lines", container=container.id, q="while paused 49")["lines"], "the lines are there"
    )
    expect(page.locator("#log")).not_to_contain_text("while paused")
    page.keyboard.press("f")

    expect(page.locator("#log .text")).to_have_text(["begin", *(f"while paused {number}" for number in range(50))])


def test_it_reconnects_by_itself_after_a_kill_and_nothing_is_missing_or_twice(
    page: Page, site: Site, shared_console: tuple[Server, Site], container: Container
) -> None:
    opened(page, site, container)
    container.print(b"before\n")
    expect(page.locator("#log .text")).to_have_text(["begin", "before"])
    shared_console[0].kill()
    wait_until(lambda: not site.is_up(), "the page's process has ended with it")
    shared_console[0].start()
    container.print(b"after\n")
    wait_until(site.is_up, "the page's server answers again")

    expect(page.locator("#log .text")).to_have_text(["begin", "before", "after"])
    expect(page.locator("#state")).to_have_text("following")


def test_a_search_shows_matches_with_a_histogram(page: Page, site: Site, container: Container) -> None:
    container.print(b"".join(b"%s %d\n" % (b"ERROR needle" if n % 5 == 0 else b"hay", n) for n in range(50)))
    opened(page, site, container)
    expect(page.locator("#log")).to_contain_text("hay 49")
    page.keyboard.press("/")
    page.keyboard.type(r"needle \d")
    page.keyboard.press("Enter")

    expect(page.locator("#log .text")).to_have_text([f"ERROR needle {number}" for number in range(0, 50, 5)])
    expect(page.locator("#histogram")).to_have_attribute("aria-label", "10 lines match")
    assert page.locator("#histogram .part.level-error").count() >= 1
    assert "q=needle" in page.evaluate_handle("location").get_property("hash").json_value()


def test_a_wrong_pattern_is_explained(page: Page, site: Site, container: Container) -> None:
    opened(page, site, container)
    page.locator("#q").fill("[")
    page.locator("#q").press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("'[' is not a regular expression (RE2 syntax)")


def test_what_is_around_a_match_can_be_kept_as_an_address(page: Page, site: Site, container: Container) -> None:
    container.print(b"".join(b"line %d\n" % number for number in range(40)))
    opened(page, site, container, q="line 20$", range="all")
    page.locator("#log .row").dblclick()
    expect(page.locator("#log .row[aria-current=true] .text")).to_have_text("line 20")
    expect(page.locator("#log")).to_contain_text("line 19")
    expect(page.locator("#log")).to_contain_text("line 39")
    address = page.url
    page.goto("about:blank")
    page.goto(address)

    expect(page.locator("#log .row[aria-current=true] .text")).to_have_text("line 20")


def test_json_is_folded_and_unfolds(page: Page, site: Site, container: Container) -> None:
    container.print(json.dumps({"level": "info", "nested": {"a": [1, 2]}}).encode() + b"\n")
    opened(page, site, container)
    row = page.locator("#log .row").last
    row.locator(".unfold").click()
    expect(row.locator(".json")).to_contain_text('  "nested": {')
    expect(row.locator(".unfold")).to_have_attribute("aria-expanded", "true")
    row.locator(".unfold").click()

    expect(row.locator(".json")).to_have_count(0)


def test_what_a_hostile_container_prints_is_text_only(page: Page, site: Site, container: Container) -> None:
    container.print(HOSTILE + b"x" * (1 << 20) + b"\nlast\n")
    opened(page, site, container)
    expect(page.locator("#log .row").last).to_contain_text("last")

    expect(page).to_have_title("Peavey")
    expect(page.locator("#log script, #log img")).to_have_count(0)
    expect(page.locator("#log .sgr-31")).to_have_text("red")
    expect(page.locator("#log .control").first).to_have_text("\\x1b")
    expect(page.locator("#log .control", has_text="\\u202e")).to_have_count(1)
    long = page.locator("#log .row", has_text="xxxx")
    expect(long.locator(".unfold")).to_have_text("… all 1,048,576 characters")
    assert len(long.locator(".body").inner_text()) == 4000


def test_a_flood_is_shown_in_a_window_of_rows(page: Page, site: Site, container: Container) -> None:
    opened(page, site, container)
    expect(page.locator("#state")).to_have_text("following")
    for start in range(0, 40_000, 5_000):
        container.print(b"".join(b"flood %d\n" % number for number in range(start, start + 5_000)))
    container.print(b"the end\n")

    expect(page.locator("#log .row").last).to_contain_text("the end")
    assert page.locator("#log .row").count() <= 2001


def test_it_can_be_used_by_keyboard_alone(page: Page, site: Site, container: Container) -> None:
    container.print(b'{"a": 1}\nsecond\n')
    opened(page, site, container)
    expect(page.locator("#log")).to_contain_text("second")
    page.keyboard.press("j")
    expect(page.locator("#log .row[aria-current=true] .text")).to_have_text("begin")
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator("#log .row[aria-current=true] .json")).to_contain_text('"a": 1')
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    expect(page.locator("#log .row[aria-current=true] .text")).to_have_text("begin")
    page.keyboard.press("c")
    expect(page.locator("#filter")).to_be_focused()


def test_dark_and_light_follow_the_system_and_can_be_chosen(browser: Browser, site: Site) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(site.url)
    expect(page.locator("body")).to_have_css("background-color", "rgb(18, 21, 19)")
    page.get_by_role("button", name="Theme").click()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    page.reload()

    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    context.close()


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, site: Site, container: Container) -> None:
    container.print(b"a rather long line of a container that has much to say, " * 5 + b"\n")
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    opened(page, site, container)
    expect(page.locator("#log")).to_contain_text("much to say")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.locator("#menu").click()
    expect(page.locator("#sidebar")).to_be_visible()
    width = page.locator("body").bounding_box()
    assert width is not None
    assert width["width"] <= 360
    row = page.locator("#log .row").last.bounding_box()
    assert row is not None
    assert row["x"] + row["width"] <= 360
    context.close()


def test_the_form_asks_for_the_token(browser: Browser) -> None:
    with short_folder() as folder, console_server(folder, PEAVEY_HTTP_TOKEN=TOKEN) as (_, site):
        context = browser.new_context()
        page = context.new_page()
        page.goto(site.url)
        page.get_by_label("Token").fill("wrong-wrong-wrong-wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#containers")).to_contain_text("All containers")
        page.get_by_role("button", name="Sign out").click()

        expect(page.get_by_label("Token")).to_be_visible()
        context.close()


class PickyServer(ThreadingHTTPServer):
    """A server that refuses what has ``poison`` in it, for good, until it is told otherwise."""

    picky = True

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            assert isinstance(self.server, PickyServer)
            self.send_response(400 if self.server.picky and b"poison" in content else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass


@pytest.fixture
def picky() -> Iterator[PickyServer]:
    with PickyServer(("127.0.0.1", 0), PickyServer.Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_dead_letters_are_shown_and_sent_again(page: Page, site: Site, site_engine: Engine, picky: PickyServer) -> None:
    container = site_engine.run(
        {"http-url": f"http://127.0.0.1:{picky.server_port}/", "batch-wait": "10ms", "http-compression": "none"}
    )
    container.print(b"good\npoison\n")
    wait_until(lambda: site.get("/api/dead")["letters"], "the letter is dead")
    picky.picky = False
    page.goto(site.url)
    page.get_by_role("button", name="Dead letters").click()
    expect(page.locator("#dead td .text")).to_have_text("poison")
    page.get_by_role("button", name="Send again").click()

    expect(page.locator("#dead [role=status]")).to_contain_text(": 1 sent")
    page.get_by_role("button", name="Destinations").click()
    expect(page.locator("#destinations .state-refusing")).to_have_text("refusing")


def test_the_download_is_of_what_is_looked_at(page: Page, site: Site, container: Container, tmp_path: Path) -> None:
    container.print(b"INFO a\nERROR b\n")
    opened(page, site, container, level="error")
    expect(page.locator("#log")).to_contain_text("ERROR b")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "logs.txt")

    assert (tmp_path / "logs.txt").read_text() == "ERROR b\n"


def test_a_server_that_is_gone_is_told(browser: Browser) -> None:
    """A page that is open while the plugin is killed says so, and goes on showing what it has."""
    with short_folder() as folder, console_server(folder) as (server, site), dying_engine(folder) as engine:
        container = begun(site, engine)
        context = browser.new_context()
        page = context.new_page()
        opened(page, site, container)
        expect(page.locator("#log")).to_contain_text("begin")
        server.kill()

        expect(page.get_by_role("alert")).to_contain_text("the server does not answer")
        context.close()
