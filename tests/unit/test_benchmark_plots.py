from xml.etree import ElementTree as ET

from benchmarks.pipeline.plots import Bars, bar_plot, line_plot

SERIES = {"3 <bookmakers>": [(1000.0, 0.5), (10_000.0, 0.7)], "10": [(3000.0, 0.6)]}


def test_plot_is_well_formed_and_has_a_point_for_each_figure() -> None:
    """Whatever a series is called, the file is XML; every figure is drawn, within the page."""
    root = ET.fromstring(line_plot("Cost & more", "snapshots", "us", SERIES))  # noqa: S314 - our own text
    circles = [one for one in root.iter() if one.tag.endswith("circle")]
    assert len(circles) == 3
    assert all(0 < float(one.attrib["cx"]) < 640 and 0 < float(one.attrib["cy"]) < 380 for one in circles)


def test_larger_values_are_higher() -> None:
    """The y axis starts at nothing and grows upwards."""
    root = ET.fromstring(line_plot("Cost", "snapshots", "us", SERIES))  # noqa: S314 - our own text
    first, second, _ = (float(one.attrib["cy"]) for one in root.iter() if one.tag.endswith("circle"))
    assert second < first


def test_a_bar_grows_by_decades_and_what_is_missing_is_said() -> None:
    """Ten times as much is a decade further; a series without a figure has no bar, and says why."""
    groups: Bars = [("as it is", {"ours": 10.0, "others": 100.0}), ("stopped", {"ours": 10.0, "others": None})]
    root = ET.fromstring(bar_plot("Storing", "ms", groups, "not stored"))  # noqa: S314 - our own text
    page, *bars = (float(one.attrib["width"]) for one in root.iter() if one.tag.endswith("rect"))
    assert bars[1] == 2 * bars[0]
    assert (bars[2], bars[3]) == (bars[0], 0)
    assert "not stored" in [one.text for one in root.iter()]
    assert page > max(bars)
