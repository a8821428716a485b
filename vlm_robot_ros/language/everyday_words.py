"""How people name the colours and things of the table; none of the words held out for tests."""

COLOURS = {
    "red": ("red", "red", "red", "reddish", "ruby", "cherry", "bright red", "dark red", "maroon"),
    "orange": ("orange", "orange", "orange", "orangey", "amber", "orange coloured"),
    "yellow": ("yellow", "yellow", "yellow", "yellowish", "bright yellow", "mustard",
               "sunny yellow"),
    "green": ("green", "green", "green", "greenish", "dark green", "olive", "grass green", "jade"),
    "cyan": ("cyan", "cyan", "cyan", "light blue", "aqua", "sky blue", "pale blue", "blue-green"),
    "blue": ("blue", "blue", "blue", "dark blue", "royal blue", "bluish", "deep blue", "cobalt"),
    "purple": ("purple", "purple", "purple", "lilac", "lavender", "purplish", "plum", "mauve"),
    "pink": ("pink", "pink", "pink", "pinkish", "rose", "salmon", "magenta", "fuchsia",
             "hot pink"),
}  # fmt: skip
"""The usual word more often than the others."""
NOUNS = {
    "cube": ("cube", "cube", "block", "box", "square block", "building block", "little cube"),
    "cylinder": ("cylinder", "cylinder", "tube", "drum", "can", "pillar", "column", "barrel"),
    "bottle": ("bottle", "bottle", "flask", "flacon", "water bottle", "decanter"),
    "milk": ("milk", "milk", "milk carton", "carton", "carton of milk", "milk box",
             "dairy carton"),
    "lemon": ("lemon", "lemon", "fruit", "sour fruit", "piece of fruit"),
    "bread": ("bread", "bread", "loaf", "loaf of bread", "bread loaf", "sandwich loaf", "roll"),
    "object": ("one", "one", "thing", "object", "piece"),
    "plate": ("plate", "plate", "dish", "dinner plate", "platter"),
    "bowl": ("bowl", "bowl", "salad bowl", "soup bowl", "mixing bowl"),
    "bin": ("bin", "bin", "trash can", "trash", "rubbish bin", "garbage can", "waste bin",
            "bucket",
            "container", "tray", "tub", "garbage", "rubbish", "dustbin"),
}  # fmt: skip
