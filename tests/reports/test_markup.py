from switchseg.reports.markup import Markup, join, tag


def test_text_is_escaped_and_markup_is_not():
    inner = tag("b", "<i> & co")
    assert inner == "<b>&lt;i&gt; &amp; co</b>"
    assert tag("p", inner, ["x", 1, None]) == "<p><b>&lt;i&gt; &amp; co</b>x1</p>"


def test_attributes_are_quoted_and_may_be_left_out():
    element = tag("img", alt='a "b"', aria_hidden="true", class_="c", hidden=True, id=None, x=0.25, y=3.0)
    assert element == '<img alt="a &quot;b&quot;" aria-hidden="true" class="c" hidden x="0.2" y="3">'


def test_join_gives_markup():
    assert isinstance(join("a", "<"), Markup)
    assert join("a", "<") == "a&lt;"
