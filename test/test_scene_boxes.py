"""What is seen of a scene, over the image."""

import numpy as np
from test_open_scene import BLOCK, NAMES, ROBOT, SHELF, SIDE, Boxes, observation

from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.open_scene import OpenScene
from vlm_robot_ros.viz.scene_boxes import draw_boxes


def test_what_was_seen_is_drawn_into_the_image_that_was_looked_at():
    seen, shown = observation([BLOCK, SHELF])
    scene = OpenScene(Boxes(shown, NAMES), ROBOT, load_sentence_parser())
    assert scene.draw() is None
    scene.look(seen, NAMES)
    drawn = scene.draw()
    assert drawn.shape == (2 * SIDE, 2 * SIDE, 3)
    large = np.repeat(np.repeat(seen.images["front"], 2, 0), 2, 1)
    changed = (drawn != large).any(2)
    assert 0.005 < changed.mean() < 0.2
    rows, columns = np.nonzero(shown == 1)
    edge = drawn[2 * rows.min() : 2 * rows.max(), 2 * columns.min()]
    assert (edge == (255, 90, 60)).all(1).mean() > 0.8, "a side of the first box"


def test_words_stay_inside_the_image_wherever_the_box_is():
    image = np.full((100, 480, 3), 200, np.uint8)
    for box in ([470, 2, 479, 20], [-5, 90, 20, 99]):
        drawn = draw_boxes(image, [(np.array(box, float), "a rather long name 10 x 10 cm")])
        dark = (drawn == (24, 24, 28)).all(2)
        assert dark.any()
        assert dark.sum() > 1500, "all of the words"
