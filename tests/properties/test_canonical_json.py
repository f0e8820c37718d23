"""In the profile of P3 the standard library and rfc8785 write the same bytes."""

from __future__ import annotations

import os
import unicodedata

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.kernel import canonical

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.sampled_from(["明标", '"\\/\b\f\n\r\t', "\x7f\u2028\u2029", "\U00020000🀄", "招标投标法 28", ""]),
).map(lambda text: unicodedata.normalize("NFC", text))
LEAVES = st.none() | st.booleans() | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
# The published figure is 20 000 documents (P3); an ordinary run takes a twentieth.
EXAMPLES = 20_000 if os.environ.get("MINGBIAO_CAMPAIGN") == "long" else 1_000


@settings(max_examples=EXAMPLES, deadline=None)
@given(VALUES)
def test_the_standard_library_and_rfc8785_agree_on_the_profile(value: canonical.Json) -> None:
    raw = canonical.dumps(value)
    assert raw == rfc8785.dumps(value)
    assert canonical.loads(raw) == value
