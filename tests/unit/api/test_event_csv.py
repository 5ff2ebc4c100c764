import pytest

from overround.api.events.csv_export import harmless


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1"])
def test_no_name_is_a_formula(text: str) -> None:
    """A name that a spreadsheet would calculate is quoted; others stay as they are."""
    assert harmless(text) == "'" + text
    assert harmless("Arsenal") == "Arsenal"
