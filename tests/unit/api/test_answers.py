"""What is kept of the lists of a moment."""

from overround.api.events.answers import Answer, Answers, BodyPiece


def _answer(size: int) -> Answer:
    return Answer([BodyPiece(b"x" * size)], "")


def test_an_answer_is_kept_for_its_moment() -> None:
    """The same object comes back until the moment is another one."""
    answers, one = Answers(), _answer(10)
    assert answers.get((1,), b"q") is None
    answers.keep((1,), b"q", one)
    assert answers.get((1,), b"q") is one
    assert answers.get((1,), b"other") is None
    assert answers.get((2,), b"q") is None


def test_an_answer_that_comes_late_is_not_kept() -> None:
    """One that was begun in a moment that is over says nothing of the next."""
    answers = Answers()
    answers.get((1,), b"q")
    answers.get((2,), b"q")
    answers.keep((1,), b"q", _answer(10))
    assert answers.get((2,), b"q") is None


def test_kept_answers_are_bounded_in_bytes() -> None:
    """What finds no room is not kept; the next moment has all of it again."""
    answers = Answers(max_bytes=10_000)
    answers.get((1,), b"a")
    for query, size in ((b"a", 5_000), (b"b", 5_000), (b"c", 1_000)):
        answers.keep((1,), query, _answer(size))
    assert [answers.get((1,), query) is not None for query in (b"a", b"b", b"c")] == [True, False, True]
    answers.get((2,), b"b")
    answers.keep((2,), b"b", _answer(5_000))
    assert answers.get((2,), b"b") is not None
