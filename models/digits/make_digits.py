#!/usr/bin/python3
"""Makes the digit model, or measures the one that is here.

    /usr/bin/python3 models/digits/make_digits.py              draws, trains, quantises, writes every made file, then evaluates
    /usr/bin/python3 models/digits/make_digits.py --evaluate   evaluates the digits.tflite that is here; writes nothing

Responsible for the command line and the order of the steps; each step is a module beside this one. Every random draw comes from one
fixed seed, so the same machine makes the same bytes. The accuracy is that of the model file, read back and run in integers, on font
families that training never saw; the exit code is 1 when it is below the limit or the samples' outputs are not the expected ones.
"""

import sys

sys.dont_write_bytecode = True  # a made folder of bytecode has no place among the sources

import argparse
import hashlib
import json
import os
import pathlib
import time

# One thread: the arithmetic's order, and so its last bit, must not depend on the number of cores.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

FOLDER = pathlib.Path(__file__).resolve().parent

try:
    import numpy
    from PIL import Image
    import flatbuffers  # used by tflite_file.py; asked for here so that a missing package is one clear message
except ImportError as error:
    sys.exit(f"make_digits: {error}.\n  Install what models/digits/packages.txt lists: apt-get install $(grep -v '^#' {FOLDER}/packages.txt)\n"
             "  and run this with Debian's own interpreter, /usr/bin/python3.")

import drawings
import fonts
import integer_model
import network
import quantise
import tflite_file

MODEL = FOLDER / "digits.tflite"
LABELS = FOLDER / "labels.txt"
SAMPLES = FOLDER / "samples"
EXPECTED = FOLDER / "expected.json"
HELD_OUT = FOLDER / "held_out.bin"

SEED = 20
# A second number beside the seed gives every purpose its own stream: more training drawings do not change the evaluation's.
STREAM_TRAINING_DRAWINGS, STREAM_TRAINING, STREAM_EVALUATION_DRAWINGS, STREAM_SAMPLES = range(4)

TRAINING_DRAWINGS_PER_DIGIT_AND_FAMILY = 200
CALIBRATION_DRAWINGS = 2000
EVALUATION_DRAWINGS_PER_DIGIT_AND_FAMILY = 60
ACCURACY_MIN = 0.97
# The first of each go with the model, so that the suite measures the accuracy without fonts and numpy.
SHIPPED_DRAWINGS_PER_DIGIT_AND_FAMILY = 4

# One held-out family per digit, and less distortion than in training: these are to be looked at.
SAMPLE_STRENGTH = 0.4


def random_stream(stream):
    return numpy.random.default_rng([SEED, stream])


def as_input(images):
    """uint8 (count, 28, 28) to the model's int8 input (count, 28, 28, 1)."""
    return (images.astype(numpy.int16) - 128).astype(numpy.int8)[..., None]


def make_model():
    started = time.monotonic()
    images, digits, _ = drawings.draw_set(fonts.TRAINING_FAMILIES, TRAINING_DRAWINGS_PER_DIGIT_AND_FAMILY, random_stream(STREAM_TRAINING_DRAWINGS))
    print(f"drew {len(images)} training images in {time.monotonic() - started:.0f} s", flush=True)

    def report(epoch, epochs, loss):
        print(f"epoch {epoch} of {epochs}: loss {loss:.4f}, {time.monotonic() - started:.0f} s", flush=True)

    random = random_stream(STREAM_TRAINING)
    parameters = network.train(images, digits, random, report)
    chosen = random.choice(len(images), CALIBRATION_DRAWINGS, replace=False)
    tflite_file.write(quantise.quantise(parameters, images[chosen]), MODEL)
    LABELS.write_text("".join(f"{digit}\n" for digit in range(drawings.CLASS_COUNT)))
    print(f"wrote {MODEL.name}, {MODEL.stat().st_size} bytes, sha256 {model_hash()}")


def model_hash():
    return hashlib.sha256(MODEL.read_bytes()).hexdigest()


def make_samples(graph):
    """One drawing per digit as a picture and as the raw input tensor, and what the integer model gives for it."""
    random = random_stream(STREAM_SAMPLES)
    SAMPLES.mkdir(exist_ok=True)
    samples = []
    for digit in range(drawings.CLASS_COUNT):
        family = fonts.HELD_OUT_FAMILIES[digit]
        pixels = drawings.draw_digit(family.faces[0], digit, random, SAMPLE_STRENGTH)
        name = f"digit{digit}"
        Image.fromarray(pixels).save(SAMPLES / f"{name}.png")
        tensor = as_input(pixels[None])
        (SAMPLES / f"{name}.bin").write_bytes(tensor.tobytes())
        samples.append({"name": name, "digit": digit, "family": family.name, "output": integer_model.run(graph, tensor)[0].tolist()})
    rows = ",\n".join("    " + json.dumps(sample) for sample in samples)
    about = "int8 outputs of digits.tflite for samples/NAME.bin, computed by integer_model.py; NAME.png is the same drawing, each byte + 128"
    EXPECTED.write_text(f'{{\n  "about": "{about}",\n  "model_sha256": "{model_hash()}",\n  "samples": [\n{rows}\n  ]\n}}\n')


def check_samples(graph):
    """The complaints about the samples; none when all is well."""
    expected = json.loads(EXPECTED.read_text())
    complaints = []
    if expected["model_sha256"] != model_hash():
        complaints.append(f"expected.json is for the model with sha256 {expected['model_sha256']}; digits.tflite has {model_hash()}.")
    for sample in expected["samples"]:
        tensor = numpy.frombuffer((SAMPLES / f"{sample['name']}.bin").read_bytes(), numpy.int8).reshape(1, drawings.IMAGE_SIDE, drawings.IMAGE_SIDE, 1)
        pixels = numpy.asarray(Image.open(SAMPLES / f"{sample['name']}.png"))
        output = integer_model.run(graph, tensor)[0]
        if not numpy.array_equal(as_input(pixels[None]), tensor):
            complaints.append(f"{sample['name']}.png and {sample['name']}.bin are not the same drawing.")
        if output.tolist() != sample["output"]:
            complaints.append(f"{sample['name']} gives {output.tolist()}; expected.json says {sample['output']}.")
        if output.argmax() != sample["digit"]:
            complaints.append(f"{sample['name']} is taken for {output.argmax()}.")
    return complaints


def draw_held_out():
    return drawings.draw_set(fonts.HELD_OUT_FAMILIES, EVALUATION_DRAWINGS_PER_DIGIT_AND_FAMILY, random_stream(STREAM_EVALUATION_DRAWINGS))


def shipped_tensors(images):
    """Input tensors one after the other: by family, digit, drawing."""
    by_drawing = as_input(images).reshape(-1, EVALUATION_DRAWINGS_PER_DIGIT_AND_FAMILY, images[0].size)
    return by_drawing[:, :SHIPPED_DRAWINGS_PER_DIGIT_AND_FAMILY].tobytes()


def evaluate(graph, images, digits, family_indices):
    """Prints the accuracy per held-out family and over all of them; returns the latter."""
    batches = numpy.array_split(as_input(images), max(1, len(images) // 500))
    correct = numpy.concatenate([integer_model.run(graph, batch) for batch in batches]).argmax(axis=1) == digits
    print(f"families trained on ({len(fonts.TRAINING_FAMILIES)}): {', '.join(family.name for family in fonts.TRAINING_FAMILIES)}")
    print(f"families held out ({len(fonts.HELD_OUT_FAMILIES)}): {', '.join(family.name for family in fonts.HELD_OUT_FAMILIES)}")
    for index, family in enumerate(fonts.HELD_OUT_FAMILIES):
        of_family = correct[family_indices == index]
        print(f"  {family.name:<20} {of_family.mean():8.2%}  ({of_family.sum()} of {len(of_family)})")
    print("  by digit: " + "  ".join(f"{digit}: {correct[digits == digit].mean():.1%}" for digit in range(drawings.CLASS_COUNT)))
    accuracy = float(correct.mean())
    print(f"accuracy of the int8 model on held-out families: {accuracy:.2%} ({correct.sum()} of {len(correct)} drawings)")
    return accuracy


def main():
    parser = argparse.ArgumentParser(description="Makes the digit model, or measures the one that is here.")
    parser.add_argument("--evaluate", action="store_true", help="only evaluate the digits.tflite that is here; write nothing")
    arguments = parser.parse_args()

    missing = fonts.missing_faces()
    if missing:
        print(f"make_digits: {len(missing)} font files are missing, the first is {missing[0]}.\n"
              "  Install what models/digits/packages.txt lists.", file=sys.stderr)
        return 1
    if not arguments.evaluate:
        make_model()
    graph = tflite_file.read(MODEL)
    if not arguments.evaluate:
        make_samples(graph)
    images, digits, family_indices = draw_held_out()
    if not arguments.evaluate:
        HELD_OUT.write_bytes(shipped_tensors(images))
    accuracy = evaluate(graph, images, digits, family_indices)
    complaints = check_samples(graph)
    if HELD_OUT.read_bytes() != shipped_tensors(images):
        complaints.append(f"{HELD_OUT.name} does not hold the first drawings of the evaluation.")
    if accuracy < ACCURACY_MIN:
        complaints.append(f"The accuracy is {accuracy:.2%}; the limit is {ACCURACY_MIN:.0%}.")
    for complaint in complaints:
        print(f"make_digits: {complaint}", file=sys.stderr)
    if not complaints:
        print(f"the {drawings.CLASS_COUNT} samples give the outputs of {EXPECTED.name}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
