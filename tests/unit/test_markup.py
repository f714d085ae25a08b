"""No text becomes markup, whatever it is."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import FUZZ

from exitsnoop.pages.markup import Markup, element, joined, verbatim


class Reader(HTMLParser):
    """Reads what a browser would."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"<!--{data}")


@pytest.mark.parametrize(
    "hostile",
    [
        "</code><script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "' onfocus='alert(1)",
        "&lt;b&gt; &amp;amp;",
        "<!-- -->",
        "]]><svg onload=1>",
        "javascript:alert(1)",
    ],
)
def test_text_stays_text(hostile: str) -> None:
    read = Reader(element("a", "x", element("b", hostile), hostile, title=hostile, class_="c"))
    assert read.tags == ["a", "b"]
    assert read.attributes == [("title", hostile), ("class", "c")]
    assert read.text == f"x{hostile}{hostile}"


def test_what_does_not_print_is_shown() -> None:
    r"""So no name turns the direction of writing, or hides."""
    assert element("b", "a\x1b[2Jb") == r"<b>a\033[2Jb</b>"
    assert element("b", "a\u202eb", title="\0") == r'<b title="\000">a\342\200\256b</b>'
    assert element("pre", "one\ntwo\t") == "<pre>one\ntwo\\t</pre>"


def test_what_is_markup_already() -> None:
    inner = joined(["<", element("br"), None])
    assert element("p", inner) == "<p>&lt;<br></p>"
    assert element("p", data_name=Markup('"<')) == '<p data-name="&quot;&lt;"></p>'
    with pytest.raises(AssertionError):
        verbatim("script", "</script>")


@FUZZ
@given(st.text(), st.text())
def test_any_text(text: str, value: str) -> None:
    read = Reader(element("i", text, id=value))
    assert read.tags == ["i"]
    assert [name for name, _ in read.attributes] == ["id"]
    if text.isprintable():
        assert read.text == text
    assert all(part.isprintable() for part in read.text.split("\n"))
