"""Whether the words of a page can be read: none clipped, none upon another."""

from itertools import combinations

from matplotlib.text import Text


def texts(figure) -> list[Text]:
    """Every text that is seen: of the figure, the panels, their axes and legends."""
    found = list(figure.texts)
    for axes in figure.axes:
        found += axes.texts
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
        if axes.axison:
            found += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title, axes._right_title]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = [each for each in axis.get_major_ticks() if low <= each.get_loc() <= high]
                found += [each.label1 for each in ticks if each.label1.get_visible()]
    return [each for each in found if each.get_text().strip()]


def assert_readable(figure, *, at_least: int = 15) -> None:
    """Check at 150 dots per inch that every text lies within the page, and none upon another."""
    figure.set_dpi(150)
    figure.draw_without_rendering()
    boxes = [(each, each.get_window_extent()) for each in texts(figure)]
    assert len(boxes) > at_least
    for each, box in boxes:
        assert figure.bbox.x0 <= box.x0, each
        assert box.x1 <= figure.bbox.x1, each
        assert figure.bbox.y0 <= box.y0, each
        assert box.y1 <= figure.bbox.y1, each
    for (one, a), (two, b) in combinations(boxes, 2):
        # Boxes hold the line's full height; letters that touch by 3 of 150 dots per inch do not.
        touch = min(a.x1, b.x1) - max(a.x0, b.x0) > 3 and min(a.y1, b.y1) - max(a.y0, b.y0) > 3
        assert not touch, (one, two)
