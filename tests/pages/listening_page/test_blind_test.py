"""The blind listening test, used in a real browser."""

import csv
import re

import pytest
from support.listening_page import SYSTEMS

from pipeline.pages.mushra import COLUMNS

pytestmark = [pytest.mark.browser, pytest.mark.firmware]


def test_blind_test_has_a_key_for_every_letter_and_for_the_reference(browser, many):
    browser.open(many / "listening_test.html")
    browser.click("#start button")
    browser.wait_for("mixer?.buffers.size > 0")
    browser.run("removeEventListener('beforeunload', warn)")  # the dialog would wait for an answer
    letters = browser.run("stimuli.map(({ letter }) => letter)")
    assert "".join(letters) == "ABCDEFGHIJKLMNOPQSTUVWX"
    pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map((b) => b.textContent)"
    for press in (str.upper, str.lower):
        for letter in letters:
            browser.press(press(letter))
            assert browser.run(pressed) == [letter]
        browser.press(press("R"))
        assert browser.run(pressed) == ["R Reference"]


def test_ratings_of_the_blind_test_are_saved_in_the_csv_file(opened, written, tmp_path):
    opened.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    opened.open(written / "listening_test.html")
    assert opened.run("document.getElementById('extent').textContent").startswith("2 pages, 14")
    opened.run("document.getElementById('listener').value = 'Ada \"L\", 1'")
    opened.click("#start button")
    expected = {}
    for trial in (1, 2):
        opened.wait_for("mixer.buffers.size > 0")
        visible = opened.run("document.getElementById('trial').outerHTML")
        words = ["lpc", "full", "reduced", "mcu", "anchor"]
        assert not [word for word in words if word in visible.lower()]
        take = opened.run("trials[trial].title")
        hidden = opened.run("stimuli.map(({ system }) => system)")
        assert sorted(hidden) == sorted(SYSTEMS)
        for index, system in enumerate(hidden):
            assert opened.run("document.getElementById('next').disabled")
            letter, rating = "ABCDEFG"[index], 10 * trial + 7 * index
            opened.press(letter.lower())  # plays it and focuses its slider
            opened.wait_for(f"mixer.playing && mixer.system === '{system}'")
            opened.run(
                f"""(() => {{ const slider = document.activeElement; slider.value = {rating};
                slider.dispatchEvent(new Event("input")); }})()"""
            )
            expected[str(trial), take, system, letter] = str(rating)
        opened.click("#next")
    opened.wait_for("!document.getElementById('finish').hidden")
    opened.click("#download")
    [path] = wait_for_files(tmp_path, opened)
    assert re.fullmatch(r"ratings_Ada_L_1_\d{8}T\d{6}\.csv", path.name)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    found = {(r["trial"], r["take"], r["system"], r["letter"]): r["rating"] for r in rows}
    assert found == expected
    assert {(r["listener"], r["instrument"]) for r in rows} == {('Ada "L", 1', "flute")}


def wait_for_files(folder, browser):
    for _ in range(100):
        files = list(folder.glob("*.csv"))
        if files and files[0].stat().st_size:
            return files
        browser.run("new Promise((resolve) => setTimeout(resolve, 50))")
    return []


def test_order_of_the_hidden_systems_varies(opened, written):
    opened.open(written / "listening_test.html")
    orders = opened.run("Array.from({ length: 40 }, () => shuffled([0, 1, 2, 3]).join(''))")
    assert len(set(orders)) > 5
    assert all(sorted(order) == list("0123") for order in orders)
