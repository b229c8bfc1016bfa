"""Conditions as rendering parameters: what day, night, snow and autumn do to a colour.

A look never changes geometry. Every class has a tone of its own, so that the classes' statistics
differ between looks one by one: this is what class-wise AdaIN transfers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .classes import Label

Colour = tuple[float, float, float]


def blend(a: Colour, b: Colour, share_of_b: float) -> Colour:
    """Returns the colour `share_of_b` of the way from `a` to `b`."""
    red, green, blue = (x + (y - x) * share_of_b for x, y in zip(a, b, strict=True))
    return red, green, blue


def scale(colour: Colour, gain: float) -> Colour:
    """Returns `colour` made brighter or darker, clipped to the range of a byte."""
    red, green, blue = (min(max(x * gain, 0.0), 255.0) for x in colour)
    return red, green, blue


@dataclass(frozen=True)
class Tone:
    """What a look does to the colours of one class."""

    gain: float = 1.0
    towards: Colour = (0.0, 0.0, 0.0)
    share: float = 0.0
    saturation: float = 1.0

    def apply(self, colour: Colour) -> Colour:
        """Returns `colour` desaturated, scaled, then drawn towards the tone's own colour."""
        grey = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
        return blend(
            scale(blend((grey,) * 3, colour, self.saturation), self.gain), self.towards, self.share
        )


@dataclass(frozen=True)
class Look:
    """One condition: sky, haze, foliage, and a tone for every class."""

    name: str
    sky_top: Colour
    sky_bottom: Colour
    cloud: Colour
    haze: Colour
    haze_strength: float
    foliage: tuple[Colour, ...]
    window: Colour
    tone: Tone = Tone()
    tones: Mapping[Label, Tone] = field(default_factory=dict)
    lit_window: Colour = (255.0, 208.0, 120.0)
    lit_share: float = 0.0
    shade: float = 0.76
    shadow: float = 0.35
    lights_on: bool = False
    snow: bool = False

    def colour(self, label: Label, colour: Colour) -> Colour:
        """Returns how a surface of this class and day colour looks in this condition."""
        return self.tones.get(label, self.tone).apply(colour)


DAY = Look(
    name="day",
    sky_top=(74, 144, 220),
    sky_bottom=(190, 222, 244),
    cloud=(250, 252, 255),
    haze=(196, 218, 236),
    haze_strength=0.5,
    foliage=((74, 140, 62), (92, 156, 66), (58, 122, 64), (110, 164, 74)),
    window=(112, 150, 182),
)

NIGHT = Look(
    name="night",
    sky_top=(10, 16, 52),
    sky_bottom=(44, 52, 112),
    cloud=(50, 58, 112),
    haze=(38, 44, 96),
    haze_strength=0.4,
    foliage=((20, 58, 56), (28, 66, 56), (16, 48, 54), (32, 72, 60)),
    window=(24, 30, 60),
    tone=Tone(0.5, (24, 28, 70), 0.25),
    tones={
        Label.ROAD: Tone(0.42, (32, 32, 58), 0.4, 0.6),
        Label.SIDEWALK: Tone(0.42, (58, 54, 86), 0.4, 0.6),
        Label.BUILDING: Tone(0.36, (44, 36, 82), 0.45, 0.7),
        Label.WALL: Tone(0.4, (46, 44, 82), 0.4),
        Label.FENCE: Tone(0.4, (34, 36, 70), 0.4),
        Label.POLE: Tone(0.40, (26, 28, 54), 0.4),
        Label.VEGETATION: Tone(),
        Label.TERRAIN: Tone(0.36, (20, 54, 58), 0.45),
        Label.TRAFFIC_SIGN: Tone(0.85, (40, 44, 90), 0.1),
        Label.TRAFFIC_LIGHT: Tone(0.9),
    },
    lit_share=0.55,
    shade=0.72,
    shadow=0.3,
    lights_on=True,
)

SNOW = Look(
    name="snow",
    sky_top=(188, 198, 212),
    sky_bottom=(224, 230, 237),
    cloud=(212, 219, 229),
    haze=(222, 228, 236),
    haze_strength=0.75,
    foliage=((112, 132, 128), (126, 144, 140), (98, 120, 118), (136, 152, 148)),
    window=(120, 136, 156),
    tone=Tone(1.0, (214, 220, 230), 0.15, 0.85),
    tones={
        Label.ROAD: Tone(1.0, (196, 203, 215), 0.68, 0.4),
        Label.SIDEWALK: Tone(1.0, (238, 242, 248), 0.85, 0.4),
        Label.BUILDING: Tone(1.0, (206, 212, 224), 0.36, 0.55),
        Label.WALL: Tone(1.0, (206, 212, 222), 0.4, 0.6),
        Label.FENCE: Tone(0.9, (206, 212, 222), 0.3, 0.6),
        Label.VEGETATION: Tone(),
        Label.TERRAIN: Tone(1.0, (246, 249, 253), 0.95, 0.3),
    },
    shade=0.86,
    shadow=0.12,
    snow=True,
)

AUTUMN = Look(
    name="autumn",
    sky_top=(92, 76, 138),
    sky_bottom=(255, 178, 104),
    cloud=(244, 140, 122),
    haze=(250, 176, 120),
    haze_strength=0.55,
    foliage=((206, 98, 34), (224, 138, 40), (178, 66, 40), (232, 168, 58)),
    window=(120, 92, 116),
    tone=Tone(0.85, (196, 104, 74), 0.2),
    tones={
        Label.ROAD: Tone(0.72, (98, 62, 84), 0.4),
        Label.SIDEWALK: Tone(0.85, (206, 138, 108), 0.45),
        Label.BUILDING: Tone(0.82, (206, 104, 84), 0.35),
        Label.WALL: Tone(0.8, (170, 100, 90), 0.4),
        Label.FENCE: Tone(0.8, (150, 86, 70), 0.4),
        Label.VEGETATION: Tone(),
        Label.TERRAIN: Tone(0.85, (190, 132, 54), 0.75),
    },
    lit_share=0.25,
    lit_window=(255, 222, 140),
    shade=0.72,
    shadow=0.4,
)

LOOKS: dict[str, Look] = {look.name: look for look in (DAY, NIGHT, SNOW, AUTUMN)}
