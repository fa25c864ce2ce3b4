"""An NTP server that misbehaves on request.

Modes: offset:SECONDS (its clock is that far ahead) | alarm (its own clock is not synchronised) | kiss (does not want to be asked)
 | foreign (answers questions that nobody asked) | garbage | silent
"""

import argparse
import os
import socket
import struct
import time

EPOCH = 2_208_988_800


def ntp(seconds):
    return int((seconds + EPOCH) * 2**32) % 2**64


def answer(question, mode):
    kind, _, value = mode.partition(":")
    now = time.time() + float(value or 0)
    leap, stratum, reference = 0, 2, b"\x7f\x00\x00\x01"
    origin = question[40:48]
    if kind == "alarm":
        leap, stratum = 3, 16
    if kind == "kiss":
        stratum, reference = 0, b"RATE"
    if kind == "foreign":
        origin = os.urandom(8)
    head = struct.pack("!BBbb", leap << 6 | 4 << 3 | 4, stratum, 6, -20) + bytes(8) + reference
    return head + struct.pack("!Q", ntp(now)) + origin + struct.pack("!QQ", ntp(now), ntp(now))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="offset:0")
    mode = parser.parse_args().mode
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 123))
    print("ready", flush=True)
    while True:
        question, client = server.recvfrom(1024)
        if mode == "silent" or len(question) < 48:
            continue
        server.sendto(os.urandom(60) if mode == "garbage" else answer(question, mode), client)


main()
