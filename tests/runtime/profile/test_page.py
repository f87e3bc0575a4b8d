"""The page of a profile: whole by itself, safe with any name, and without an error in a browser."""
import json
import re
import shutil
import subprocess

import pytest
from browser import Browser
from drawn_profile import drawn_profile

from wholebody.runtime.profile import compare_profiles
from wholebody.runtime.profile.history import trends
from wholebody.runtime.profile.page import page

CHROMIUM = next(filter(None, (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))), None)
NAME = "</script><b>ü & 'x'.onnx"


@pytest.fixture
def told():
    told = drawn_profile(marks=["engine: it drifted, the last third took +9 %; clocks or heat, or other programs"])
    told["model"]["file"] = NAME
    return told


def test_nothing_on_the_page_is_asked_from_elsewhere(told):
    text = page(told)
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}, "a name, not an address"
    assert "default-src 'none'" in text
    assert not re.search(r"\b(src|srcset)=|@import|url\(|fetch\(|XMLHttpRequest|import\(", text)


def test_the_data_of_the_page_is_the_profile_whatever_it_is_called(told):
    text = page(told, compare_profiles(told, drawn_profile(engine=[12.0] * 8)))
    data, = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    found = json.loads(data)
    assert found["told"] == told
    assert [change["verdict"] for change in found["changes"]][:2] == ["slower", "no difference shown"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which shows whether the page's script runs")
def test_a_browser_shows_the_figures_marks_and_charts_without_an_error(told, tmp_path):
    path = tmp_path / "page.html"
    slower = drawn_profile(engine=[12.0] * 8, measured_at="2026-02-01T12:00:00Z")
    found = trends([("old.json", drawn_profile()), ("new.json", slower)], slower)
    path.write_text(page(told, compare_profiles(told, slower), found), encoding="utf-8")
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                           "--user-data-dir=%s" % (tmp_path / "browser"), "--dump-dom", path.as_uri()],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
    shown, said = done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace")
    assert "CONSOLE" not in said
    assert "&lt;/script&gt;&lt;b&gt;ü &amp; 'x'.onnx</h1>" in shown
    for words in ("<b>10.00 ms</b>", "<b>14.00 ms</b>", "it drifted, the last third", "Compared with before",
                  'aria-label="in turn: engine 10.00 ms, p95 10.00 ms"', 'aria-label="engine, block 8: 10.10 ms"',
                  'aria-label="conv9: Conv, FP32: 1.80 ms, p95 2.25 ms, 18.8 %"', "All 10 layers",
                  'aria-label="2026-02-01T12:00:00Z, engine: 12.00 ms (12.00 to 12.00); engine slower (1.20)"',
                  'aria-label="328x184, batch 4, pipeline: 285.7 frames/s, p50 14.00 ms, p95 14.00 ms"',
                  'aria-label="5: decode, on drawn maps: 0.300 ms, p95 0.300 ms"'):
        assert words in shown, words


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which shows whether the page's script runs")
@pytest.mark.parametrize("size, dark, phone", [((1280, 800), False, False), ((1280, 800), True, False),
                                               ((360, 740), True, True)], ids=["light", "dark", "a phone"])
def test_every_chart_is_there_and_nothing_is_asked_for_whatever_shows_the_page(told, tmp_path, size, dark, phone):
    path = tmp_path / "page.html"
    path.write_text(page(told, (), trends([("old.json", drawn_profile())], told)), encoding="utf-8")
    with Browser(tmp_path / "browser", size[0], size[1], dark, phone) as browser:
        browser.open(path.as_uri())
        assert browser.wait_for("document.querySelectorAll('svg').length") == 7
        assert browser.ask("document.documentElement.scrollWidth <= innerWidth"), "the page itself does not scroll"
        assert browser.ask("getComputedStyle(document.body).backgroundColor") == (
            "rgb(20, 22, 26)" if dark else "rgb(255, 255, 255)")
        browser.ask("document.querySelector('#layers rect').dispatchEvent(new PointerEvent('pointermove'))")
        assert "Conv, FP32" in browser.ask("document.querySelector('#tip').textContent")
        assert browser.complaints() == []
        assert {address for address in browser.addresses() if not address.startswith("data:")} == {path.as_uri()}


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which shows whether the page's script runs")
def test_a_fault_in_the_script_would_be_seen(told, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page(told).replace("words(); figures();", "words(); figure();"), encoding="utf-8")
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                           "--user-data-dir=%s" % (tmp_path / "browser"), "--dump-dom", path.as_uri()],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
    assert b"CONSOLE" in done.stderr
