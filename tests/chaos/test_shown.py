"""What people see: growing is right, everything else is noticed where it happens."""

from __future__ import annotations

from chaos.shown import Witness, damage


def laws(witness: Witness) -> list[str]:
    return [breach.law for breach in witness.breaches]


def test_an_answer_that_grows_is_in_order_and_counted() -> None:
    witness = Witness()
    for before, now in (("", "One "), ("One ", "One two "), ("One two ", "One two three")):
        witness.saw("r1", "m1", before, now, "p0.1")
    witness.saw("r1", "m1", "", "One two three", "p0.2")
    assert laws(witness) == []
    assert witness.characters == 2 * len("One two three")
    assert witness.runs["r1"].script == "One two three"


def test_an_answer_that_changes_on_a_page_is_noticed() -> None:
    witness = Witness()
    witness.saw("r1", "m1", "", "One two ", "p0.1")
    witness.saw("r1", "m1", "One two ", "One Two ", "p0.1")
    assert laws(witness) == ["an answer changed on a page", "two pages tell an answer in two ways"]


def test_characters_that_come_twice_are_noticed() -> None:
    witness = Witness()
    witness.saw("r1", "m1", "", "One two three", "p0.1")
    witness.saw("r1", "m1", "", "One two two three", "p0.2")
    assert laws(witness) == ["two pages tell an answer in two ways"]
    assert (witness.lost, witness.doubled) == (0, 4)


def test_a_gap_between_two_pages_is_noticed() -> None:
    witness = Witness()
    witness.saw("r1", "m1", "", "One two three", "p0.1")
    witness.saw("r1", "m1", "", "One three", "p0.2")
    assert laws(witness) == ["two pages tell an answer in two ways"]
    assert witness.lost > 0


def test_a_page_that_is_behind_another_is_in_order() -> None:
    witness = Witness()
    witness.saw("r1", "m1", "", "One two three", "p0.1")
    witness.saw("r1", "m1", "", "One ", "p0.2")
    assert laws(witness) == []


def test_a_fresh_page_that_shows_less_than_was_shown_before_it_was_asked_for_is_noticed() -> None:
    witness = Witness()
    witness.saw("r1", "m1", "", "One two ", "p0.1")
    floor = witness.floor()["r1"]
    witness.saw("r1", "m1", "One two ", "One two three", "p0.1")
    witness.loaded("r1", floor, "One two ", "p0.2")
    assert laws(witness) == []
    witness.loaded("r1", floor, "One ", "p0.3")
    assert laws(witness) == ["a fresh page shows less than was shown"]
    assert witness.lost == len("two ")


def test_damage_is_told_apart() -> None:
    assert damage("abcdef", "abcdef and more") == (0, 0)
    assert damage("abcdef", "abc") == (3, 0)
    assert damage("abcdefgh", "abcdcdefgh") == (0, 2)
