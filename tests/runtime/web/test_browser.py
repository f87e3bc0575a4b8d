"""The page in headless Chromium: the picture moves, charts fill, buttons work, nothing else is asked for anything."""
import sys
import threading

import numpy as np
import pytest
from browser import Browser, chromium

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium: sudo apt install chromium"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="one Python asks the browser: it is the same under all")]
TOKEN = "secret-token-of-the-hall"
PICTURE = "(() => { const c = document.getElementById('picture'), d = c.getContext('2d')" \
          ".getImageData(%d * c.width / 64, %d * c.height / 48, 1, 1).data; return [d[0], d[1], d[2]]; })()"


@pytest.fixture
def live(make_preview):
    """A preview that is handed 30 frames a second."""
    running, ended = make_preview(TOKEN), threading.Event()

    def feed():
        index = 0
        while not ended.wait(1 / 30.0):
            running.frame(index, source=0, size=(240, 320))
            running.frame(index + 1000, source=1, image=np.full((48, 64, 3), 200, np.uint8))
            index += 1

    thread = threading.Thread(target=feed)
    thread.start()
    running.url = running.preview.url + "?token=" + TOKEN
    yield running
    ended.set()
    thread.join()


def click(browser, name):
    browser.ask("document.getElementById('%s').click()" % name)


def test_the_picture_moves_and_the_charts_fill(live, tmp_path):
    with Browser(tmp_path) as browser:
        browser.open(live.url)
        browser.wait_for("window.wholebodyView && wholebodyView.frames > 3 && wholebodyView.samples > 2")
        first = browser.ask(PICTURE % (60, 2))
        browser.wait_for("wholebodyView.frames > %d" % (browser.ask("wholebodyView.frames") + 5))
        assert browser.ask(PICTURE % (60, 2)) != first
        assert browser.ask("wholebodyView.people") == 2
        assert browser.ask("document.getElementById('state').textContent") == "live"
        assert float(browser.ask("document.getElementById('tile-fps').textContent")) > 10
        charts = browser.ask("[...document.querySelectorAll('.chart canvas')].slice(0, 4).map((c) => new Set("
                             "new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)"
                             ").size)")
        assert min(charts) > 5, "each chart has a line in it"
        assert browser.complaints() == []
        for address in browser.addresses():
            assert address.startswith((live.preview.url, "data:", "blob:", "about:")), address


def test_the_buttons_work(live, tmp_path):
    with Browser(tmp_path) as browser:
        browser.open(live.url)
        browser.wait_for("window.wholebodyView && wholebodyView.frames > 3")
        click(browser, "pause")
        browser.wait_for("document.getElementById('caption').textContent.startsWith('paused')")
        stands = browser.ask("wholebodyView.frames")
        coloured = "(() => { const c = document.getElementById('picture'), d = c.getContext('2d')" \
                   ".getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) " \
                   "n += Math.abs(d[i] - d[i + 1]) + Math.abs(d[i] - d[i + 2]) > 60; return n; })()"
        everything = browser.ask(coloured)
        assert everything > 100
        click(browser, "show-part-foot")
        without_feet = browser.ask(coloured)
        assert 0 < without_feet < everything
        browser.ask("const r = document.getElementById('threshold'); r.value = 0.95; "
                    "r.dispatchEvent(new Event('input'))")
        assert browser.ask(coloured) == 0, "every point has a score of 0.9"
        click(browser, "show-picture")
        assert browser.ask(PICTURE % (60, 2)) == [0, 0, 0]
        click(browser, "show-boxes")
        assert browser.ask(PICTURE % (60, 2)) == [0, 0, 0]
        browser.ask("window.saved = []; "
                    "HTMLAnchorElement.prototype.click = function () { saved.push(this.download) }; 1")
        click(browser, "snapshot")
        assert browser.wait_for("saved.length && saved[0]").startswith("wholebody-0-")
        assert browser.ask("wholebodyView.frames") == stands
        click(browser, "pause")
        browser.wait_for("wholebodyView.frames > %d" % stands)
        browser.ask("const s = document.getElementById('source'); s.value = 1; s.dispatchEvent(new Event('change'))")
        browser.wait_for("/frame 1\\d\\d\\d /.test(document.getElementById('caption').textContent)")
        assert browser.complaints() == []


def test_it_fits_a_phone_and_says_when_the_run_has_ended(live, tmp_path):
    with Browser(tmp_path, 360, 740, dark=True, phone=True) as browser:
        browser.open(live.url)
        browser.wait_for("window.wholebodyView && wholebodyView.frames > 3")
        assert browser.ask("document.documentElement.scrollWidth") <= 360
        assert browser.ask("Math.min(...[...document.querySelectorAll('button')].map((b) => b.offsetHeight))") >= 40
        live.preview.close()
        browser.wait_for("document.getElementById('state').dataset.state == 'lost'")
        assert "has ended" in browser.ask("document.getElementById('state').textContent")
