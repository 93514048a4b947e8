"""Responsible for which font families draw the digits, and which of them are held out from training.

A family here is one design: everything one designer drew as a set (DejaVu Sans, Mono and Serif) counts once, so no face of a held-out
family has a sibling in training. The rule that holds families out is fixed before any training and cannot favour an easy one.
"""

import pathlib
from dataclasses import dataclass

FONT_FOLDER = pathlib.Path("/usr/share/fonts")


@dataclass(frozen=True)
class Family:
    name: str
    faces: tuple


def _family(name, folder, *faces):
    return Family(name, tuple(f"{folder}/{face}" for face in faces))


# Alphabetical by name, because the hold-out rule below counts along this order.
FAMILIES = (
    _family("Agave", "truetype/agave", "agave-r-autohinted.ttf", "agave-b-autohinted.ttf"),
    _family("Allerta", "opentype/allerta", "allerta_medium.otf"),
    _family("Arapey", "opentype/arapey", "Arapey-Regular.otf", "Arapey-Black.otf"),
    _family("Averia Sans", "truetype/averia-gwf", "AveriaSansGWF-Regular.ttf", "AveriaSansGWF-Bold.ttf", "AveriaSansGWF-Italic.ttf"),
    _family("B612", "opentype/b612", "B612-Regular.otf", "B612-Bold.otf", "B612Mono-Regular.otf"),
    _family("Cabin", "opentype/cabin", "Cabin-Regular.otf", "Cabin-Bold.otf", "Cabin-Italic.otf"),
    _family("Caladea", "truetype/crosextra", "Caladea-Regular.ttf", "Caladea-Bold.ttf", "Caladea-Italic.ttf"),
    _family("Cantarell", "opentype/cantarell", "Cantarell-Regular.otf", "Cantarell-Bold.otf", "Cantarell-Light.otf"),
    _family("Century Catalogue", "truetype/fonts-century-catalogue", "Century-Catalogue.ttf"),
    _family("Comfortaa", "truetype/comfortaa", "Comfortaa-Regular.ttf", "Comfortaa-Bold.ttf"),
    _family("Comic Neue", "opentype/comic-neue", "ComicNeue-Regular.otf", "ComicNeue-Bold.otf", "ComicNeue-Italic.otf"),
    _family("Courier Prime", "opentype/courier-prime", "Courier Prime.otf", "Courier Prime Bold.otf", "Courier Prime Sans.otf"),
    _family("DejaVu", "truetype/dejavu", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    _family("Dosis", "opentype/dosis", "Dosis-Medium.otf", "Dosis-ExtraBold.otf", "Dosis-Light.otf"),
    _family("Gentium Basic", "truetype/gentium-basic", "GenBasR.ttf", "GenBasB.ttf", "GenBasI.ttf"),
    _family("GFS Didot", "opentype/didot", "GFSDidot.otf", "GFSDidotBold.otf", "GFSDidotItalic.otf"),
    _family("Hermit", "truetype/hermit", "Hermit-medium.otf", "Hermit-light.otf", "Hermit-bold.otf"),
    _family("Inconsolata", "truetype/inconsolata", "Inconsolata.otf"),
    _family("Jura", "opentype/jura", "Jura-Regular.otf", "Jura-Bold.otf"),
    _family("Karla", "truetype/karla", "Karla-Regular.otf", "Karla-Bold.otf", "Karla-Italic.otf"),
    _family("League Spartan", "opentype/league-spartan", "LeagueSpartan-Regular.otf", "LeagueSpartan-Medium.otf", "LeagueSpartan-Bold.otf"),
    _family("Liberation", "truetype/liberation", "LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "LiberationSerif-Regular.ttf",
            "LiberationSerif-BoldItalic.ttf", "LiberationMono-Regular.ttf", "LiberationSansNarrow-Bold.ttf"),
    _family("Libris", "truetype/adf", "LibrisADFStd-Regular.otf", "LibrisADFStd-Bold.otf"),
    _family("Lobster Two", "opentype/lobstertwo", "LobsterTwo-Regular.otf", "LobsterTwo-Italic.otf"),
    _family("Mekanus", "truetype/adf", "MekanusADFStd-Regular.otf", "MekanusADFStd-Bold.otf"),
    _family("Monofur", "truetype/monofur", "monof55.ttf", "monof56.ttf"),
    _family("National Park", "opentype/national-park", "NationalPark-Regular.otf", "NationalPark-Heavy.otf"),
    _family("Open Sans", "truetype/open-sans", "OpenSans-Regular.ttf", "OpenSans-ExtraBold.ttf", "OpenSans-LightItalic.ttf", "OpenSans-CondBold.ttf"),
    _family("osifont", "truetype/osifont", "osifont.ttf"),
    _family("OSP-DIN", "truetype/opendin", "OSP-DIN.ttf"),
    _family("Oxygen", "truetype/oxygen", "Oxygen-Sans.ttf", "Oxygen-Sans-Bold.ttf", "OxygenMono-Regular.ttf"),
    _family("Play", "opentype/play", "Play-Regular.otf", "Play-Bold.otf"),
    _family("Quattrocento", "opentype/quattrocento", "Quattrocento-Regular.otf"),
    _family("Quicksand", "truetype/quicksand", "Quicksand-Regular.ttf", "Quicksand-Bold.ttf"),
    _family("Roadgeek", "truetype/roadgeek", "RG2014B.ttf", "RG2014D.ttf", "RG2014F.ttf"),
    _family("Roboto Slab", "opentype/roboto/slab", "RobotoSlab-Regular.otf", "RobotoSlab-Bold.otf", "RobotoSlab-Light.otf"),
    _family("Sora", "opentype/sora", "Sora-Regular.otf", "Sora-Bold.otf"),
    _family("Tiresias", "truetype/tiresias", "tiresias_infofont.ttf", "tiresias_pcfont.ttf", "tiresias_signfont_italic.ttf"),
    _family("Tuffy", "truetype/tuffy", "Tuffy.ttf", "Tuffy_Bold.ttf", "Tuffy_Italic.ttf"),
    _family("Universalis", "truetype/adf", "UniversalisADFStd-Regular.otf", "UniversalisADFStd-Bold.otf", "UniversalisADFStd-Cond.otf"),
    _family("Yanone Kaffeesatz", "opentype/yanone-kaffeesatz", "YanoneKaffeesatz-Regular.otf", "YanoneKaffeesatz-Bold.otf"),
)

# Every third family along the alphabet is never drawn from while training, choosing parameters or calibrating.
HELD_OUT_FAMILIES = FAMILIES[2::3]
TRAINING_FAMILIES = tuple(family for family in FAMILIES if family not in HELD_OUT_FAMILIES)


def missing_faces():
    """The font files that are not on this machine; a drawing from a substitute would silently change the figures."""
    paths = (FONT_FOLDER / face for family in FAMILIES for face in family.faces)
    return [str(path) for path in paths if not path.is_file()]
