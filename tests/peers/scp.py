"""A DICOM storage and verification SCP that can misbehave on request.

Prints one JSON line per event: {"event": "listening" | "association" | "echo" | "store", ...}.
"""

import argparse
import json
import pathlib
import socket
import ssl
import sys
import threading

from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import CTImageStorage, Verification

A_ABORT = bytes([7, 0, 0, 0, 0, 4, 0, 0, 2, 0])
MODES = """good | reject:RESULT,SOURCE,REASON | abort | close | hang-associate | no-context
 | status:NUMBER | abort-echo | close-echo | hang-echo"""


def log(event, **fields):
    # In one piece: each association has a thread of its own, and print writes the end of the line apart.
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def forever():
    threading.Event().wait()


def on_accepted(event):
    peer = event.assoc.requestor
    log("association", peer=peer.address, port=peer.port, calling=str(peer.ae_title))


def on_echo(event, mode):
    log("echo", peer=event.assoc.requestor.address)
    name, _, value = mode.partition(":")
    if name == "hang-echo":
        forever()
    if name == "abort-echo":
        event.assoc.abort()
    if name == "close-echo":
        event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        forever()
    return int(value, 0) if name == "status" else 0x0000


def on_store(event, folder):
    dataset = event.dataset
    dataset.file_meta = event.file_meta
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    log("store", peer=event.assoc.requestor.address, path=str(path))
    return 0x0000


def serve_pynetdicom(options):
    entity = AE(ae_title=options.aet)
    entity.require_called_aet = True
    entity.maximum_associations = 200
    if options.mode == "no-context":
        entity.add_supported_context(CTImageStorage)
    else:
        entity.add_supported_context(Verification)
        entity.supported_contexts += StoragePresentationContexts
    handlers = [
        (evt.EVT_ACCEPTED, on_accepted),
        (evt.EVT_C_ECHO, on_echo, [options.mode]),
        (evt.EVT_C_STORE, on_store, [options.folder]),
    ]
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
    entity.start_server(("0.0.0.0", options.port), block=False, evt_handlers=handlers, ssl_context=tls)


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def answer_association(connection, mode):
    """Answers an association request with bytes that a well-behaved library would not send."""
    header = read_exactly(connection, 6)
    read_exactly(connection, int.from_bytes(header[2:], "big"))
    log("association", peer=connection.getpeername()[0], port=connection.getpeername()[1])
    name, _, value = mode.partition(":")
    if name == "reject":
        connection.sendall(bytes([3, 0, 0, 0, 0, 4, 0, *map(int, value.split(","))]))
    elif name == "abort":
        connection.sendall(A_ABORT)
    elif name == "hang-associate":
        forever()
    if name != "close":
        connection.settimeout(5)
        connection.recv(1)
    connection.close()


def serve_raw(options):
    listener = socket.create_server(("0.0.0.0", options.port), backlog=64)

    def each(connection):
        try:
            answer_association(connection, options.mode)
        except (EOFError, OSError):
            pass

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=each, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aet", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--mode", default="good", help=MODES)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    raw = options.mode.partition(":")[0] in {"reject", "abort", "close", "hang-associate"}
    (serve_raw if raw else serve_pynetdicom)(options)
    log("listening", port=options.port)
    forever()


if __name__ == "__main__":
    sys.exit(main())
