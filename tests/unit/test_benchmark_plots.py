from xml.etree import ElementTree as ET

from scripts.pipeline.plots import line_plot

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
