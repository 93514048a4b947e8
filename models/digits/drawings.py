"""Responsible for drawing distorted digits: 28x28 greyscale, bright strokes on a dark ground, one seeded stream of chance per set.

Glyphs are drawn at several times the final size and distorted there, so that a thin stroke fades as it would under a camera and does
not break into steps. Which families are drawn from is the caller's choice (fonts.py).
"""

import functools
import math

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fonts import FONT_FOLDER

IMAGE_SIDE = 28
CLASS_COUNT = 10

_OVERSAMPLING = 4
_CANVAS_SIDE = IMAGE_SIDE * _OVERSAMPLING
# A digit fills at most 20 of the 28 pixels before distortion; the rest is room for shift and rotation.
_GLYPH_EXTENT = 20 * _OVERSAMPLING
_PROBE_POINTS = 200


@functools.lru_cache(maxsize=None)
def _glyph(face, digit):
    """The undistorted digit, its longer side exactly _GLYPH_EXTENT, centred on the canvas."""
    path = str(FONT_FOLDER / face)
    text = str(digit)
    # The size in points says little about the size in pixels of a digit: fonts differ by 40 %. So measure, then scale.
    left, top, right, bottom = ImageFont.truetype(path, _PROBE_POINTS).getbbox(text)
    points = round(_PROBE_POINTS * _GLYPH_EXTENT / max(right - left, bottom - top))
    font = ImageFont.truetype(path, points)
    left, top, right, bottom = font.getbbox(text)
    canvas = Image.new("L", (_CANVAS_SIDE, _CANVAS_SIDE), 0)
    origin = ((_CANVAS_SIDE - (right - left)) / 2 - left, (_CANVAS_SIDE - (bottom - top)) / 2 - top)
    ImageDraw.Draw(canvas).text((round(origin[0]), round(origin[1])), text, font=font, fill=255)
    return canvas


def _inverse_affine(random, strength):
    """Coefficients that take a point of the distorted canvas back to the undistorted one, as Image.transform wants them."""
    angle = math.radians(random.uniform(-12, 12) * strength)
    shear = random.uniform(-0.25, 0.25) * strength
    scale = 1 + random.uniform(-0.25, 0.1) * strength
    aspect = math.exp(random.uniform(-0.18, 0.18) * strength)
    shift = random.uniform(-2.5, 2.5, size=2) * strength * _OVERSAMPLING
    rotation = numpy.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    forward = rotation @ numpy.array([[1, shear], [0, 1]]) @ numpy.diag([scale * aspect, scale / aspect])
    inverse = numpy.linalg.inv(forward)
    centre = numpy.full(2, _CANVAS_SIDE / 2)
    offset = centre - inverse @ (centre + shift)
    return (inverse[0, 0], inverse[0, 1], offset[0], inverse[1, 0], inverse[1, 1], offset[1])


def draw_digit(face, digit, random, strength=1.0):
    """One drawing as uint8 28x28. A strength below 1 distorts less (the samples that are shipped use that)."""
    image = _glyph(face, digit).transform((_CANVAS_SIDE, _CANVAS_SIDE), Image.AFFINE, _inverse_affine(random, strength), Image.BILINEAR)
    pen = random.random()
    if pen < 0.2 * strength:
        image = image.filter(ImageFilter.MaxFilter(5))
    elif pen < 0.35 * strength:
        image = image.filter(ImageFilter.MinFilter(3))
    blur = random.uniform(0, 0.9) * strength * _OVERSAMPLING
    image = image.filter(ImageFilter.GaussianBlur(blur)).reduce(_OVERSAMPLING)
    pixels = numpy.asarray(image, dtype=numpy.float64) / 255
    ground = random.uniform(0, 0.12) * strength
    peak = 1 - random.uniform(0, 0.4) * strength
    noise = random.normal(0, random.uniform(0, 0.08) * strength, size=pixels.shape)
    pixels = ground + (peak - ground) * pixels + noise
    return numpy.rint(numpy.clip(pixels, 0, 1) * 255).astype(numpy.uint8)


def draw_set(families, drawings_per_digit_and_family, random):
    """Images (count, 28, 28) uint8, their digits, and the index of the family each came from: the same number for every family and digit."""
    images, digits, family_indices = [], [], []
    for family_index, family in enumerate(families):
        for digit in range(CLASS_COUNT):
            for drawing in range(drawings_per_digit_and_family):
                # Faces take turns, so that a family's bold cannot outnumber its regular by chance.
                face = family.faces[drawing % len(family.faces)]
                images.append(draw_digit(face, digit, random))
                digits.append(digit)
                family_indices.append(family_index)
    return numpy.stack(images), numpy.array(digits), numpy.array(family_indices)
