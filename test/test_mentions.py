"""Which things a sentence names."""

import pytest

from vlm_robot_ros.policies.transfer.mentions import MentionFinder

NAMES = {
    "bowl": ("dish", "basin"), "plate": ("platter", "dish"), "wine bottle": ("bottle", "wine"),
    "wine rack": ("rack", "stand"), "cabinet": ("drawers", "chest"), "stove": ("burner",),
}  # fmt: skip


@pytest.fixture(scope="module")
def finder():
    return MentionFinder(NAMES, flat=("plate",))


@pytest.mark.parametrize(
    ("text", "nouns"),
    [
        ("put the bowl on the cabinet with the three drawers", ["bowl", "cabinet"]),
        ("put the bowl on the chest of drawers", ["bowl", "cabinet"]),
        ("put the bowl on the stove with the burner", ["bowl", "stove"]),
        ("put the bottle on the wine storage rack", ["wine bottle", "wine rack"]),
        ("put the bottle on the wine bottle stand", ["wine bottle", "wine rack"]),
        ("put the wine vessel on the rack", ["wine bottle", "wine rack"]),
        ("stand the bottle on the cabinet", ["wine bottle", "cabinet"]),
        ("put the bottle on the stand", ["wine bottle", "wine rack"]),
        ("put the bowl with the bottle on the stove", ["bowl", "wine bottle", "stove"]),
        ("put the bowl and the bottle on the plate", ["bowl", "wine bottle", "plate"]),
        ("put bowl on plate", ["bowl", "plate"]),
        ("put bowl on bowl", ["bowl", "bowl"]),
    ],
)
def test_names_of_one_thing_are_one_mention(finder, text, nouns):
    assert [each.noun for each in finder.names_in(text)] == nouns


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("put the cheese in the dish", "bowl"),
        ("put the cheese on the white dish", "plate"),
        ("slide the dish to the left", "plate"),
        ("pick up the dish", "bowl"),
        ("put the plate into the dish", "bowl"),
    ],
)
def test_what_two_things_are_called_is_the_flat_one_where_it_is_pushed_or_carries(
    finder, text, noun
):
    assert finder.names_in(text)[-1].noun == noun


def test_without_flat_things_the_better_name_counts():
    assert MentionFinder(NAMES).names_in("slide the dish to the left")[0].noun == "bowl"


def test_where_one_of_two_is_named_otherwise_the_name_means_the_other(finder):
    first, second = finder.names_in("put the dish on the plate")
    assert (first.noun, second.noun) == ("bowl", "plate")
