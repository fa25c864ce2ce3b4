"""A TCP server that answers as told, well or badly.

Prints one JSON line per event: {"event": "listening" | "connection"}.
"""

import argparse
import json
import socket
import sys
import threading
import time

HUGE_PDU = bytes([2, 0, 0x7F, 0xFF, 0xFF, 0xFF])
MODES = "pong | after-close | endless:BYTE | drip:BYTE | huge-pdu | mid-pdu | silent | never-accept"


def log(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def answer(connection, mode):
    """One connection, from its beginning to the moment at which the client goes."""
    name, _, value = mode.partition(":")
    if name in {"huge-pdu", "mid-pdu", "pong"}:
        heard = connection.recv(4096)
    if name == "pong":
        connection.sendall(b"+PONG\r\n" if heard.startswith(b"PING") else b"-ERR unknown command\r\n")
    elif name == "after-close":
        heard = b""
        while part := connection.recv(4096):
            heard += part
        connection.sendall(b"heard to the end: " + heard)
    elif name == "huge-pdu":
        connection.sendall(HUGE_PDU)
    elif name == "mid-pdu":
        connection.sendall(bytes([2, 0, 0, 0, 0, 184, 0, 1]))
    while name == "endless" or name == "huge-pdu":
        connection.sendall(bytes([int(value or "0", 0)]) * 4096)
    while name == "drip":
        connection.sendall(bytes([int(value or "0", 0)]))
        time.sleep(1)
    while connection.recv(4096):
        pass


def each(connection, mode):
    try:
        answer(connection, mode)
    except OSError:
        pass
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mode", required=True, help=MODES)
    options = parser.parse_args()
    listener = socket.create_server(("0.0.0.0", options.port), backlog=4096)
    log("listening", port=options.port)
    if options.mode == "never-accept":
        threading.Event().wait()
    while True:
        connection, _ = listener.accept()
        log("connection", at=time.monotonic())
        threading.Thread(target=each, args=(connection, options.mode), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
