"""Makes real DICOM files for a test, and compares what arrived with what was sent.

    files.py make FOLDER COUNT       from the samples that the pydicom package itself contains
    files.py compare SENT RECEIVED   each sent dataset must have arrived, equal in every element
"""

import pathlib
import sys

import pydicom
from pydicom.uid import generate_uid

SAMPLES = pathlib.Path(pydicom.__file__).parent / "data" / "test_files"
# Whole, uncompressed little-endian files: every peer accepts these without transcoding.
NAMES = """CT_small MR_small MR_small_implicit examples_palette examples_rgb_color SC_rgb_small_odd
SC_ybr_full_422_uncompressed examples_overlay liver_1frame reportsi rtdose rtplan test-SR waveform_ecg"""
# Nobody but the servers may ever see it.
PATIENT = "Nobody^Knows^Me"
# Means nothing, and a sender may leave it out (PS3.10 section 7.2).
TRAILING_PADDING = 0xFFFCFFFC


def make(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    names = NAMES.split()
    for number in range(count):
        dataset = pydicom.dcmread(SAMPLES / f"{names[number % len(names)]}.dcm")
        dataset.pop(TRAILING_PADDING, None)
        dataset.SOPInstanceUID = generate_uid()
        dataset.PatientName = PATIENT
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)


def datasets(folder):
    read = (pydicom.dcmread(path, force=True) for path in sorted(folder.iterdir()))
    return {dataset.SOPInstanceUID: dataset for dataset in read}


def compare(sent, received):
    sent, received = datasets(sent), datasets(received)
    if sent.keys() != received.keys():
        return f"sent {len(sent)}, arrived {len(received)}, in common {len(sent.keys() & received.keys())}"
    differing = [uid for uid, dataset in sent.items() if dataset != received[uid]]
    return f"arrived, but differ: {differing}" if differing else None


def main(action, folder, argument):
    if action == "make":
        return make(pathlib.Path(folder), int(argument))
    return compare(pathlib.Path(folder), pathlib.Path(argument))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
