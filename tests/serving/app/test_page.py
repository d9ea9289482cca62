"""The files of the page: they ask nobody else, hold no script inside the document, and are in the package."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from pipeline.serving.app import page

ROOT = Path(__file__).resolve().parents[3]
FILES = {name: content.decode() for name, (content, _) in page.files().items()}


def test_the_document_holds_no_script_and_no_style():
    text = FILES[page.DOCUMENT]
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", text) == []


@pytest.mark.parametrize("name", FILES)
def test_no_file_leads_elsewhere(name):
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./]*", re.sub(r"^\s*//.*$", "", FILES[name], flags=re.M))
    assert [address for address in addresses if "www.w3.org" not in address] == []


def test_every_file_that_is_named_is_there():
    named = set(re.findall(r'(?:href|src)="/([\w.]+)"', FILES[page.DOCUMENT])) - {"model", "metrics"}
    named |= {name for text in FILES.values() for name in re.findall(r'from "\./([\w.]+)"', text)}
    assert named - {"openapi.json"} == set(FILES) - {page.DOCUMENT}


def test_every_field_has_a_name_for_a_screen_reader():
    text = FILES[page.DOCUMENT]
    for tag in re.findall(r"<(?:input|progress|canvas)[^>]*>", text):
        (id,) = re.findall(r'id="([\w-]+)"', tag)
        assert "aria-label=" in tag or f'for="{id}"' in text, tag
    assert 'lang="en"' in text


def test_the_package_has_the_page():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options.package_data"]["pipeline.serving.app"] == f"{page.FOLDER}/*"
