"""A server of updates: files of a folder over HTTPS, archives as the file MODE beside them says.

MODE holds one of: endless (bytes without an end), slow N (N KiB five times a second), cut (half of it). Without it, all is well.
Prints one JSON line per event: {"event": "listening" | "asked", "path": ...}.
"""

import argparse
import http.server
import json
import pathlib
import ssl
import sys
import time


def log(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        log("asked", path=self.path)

    def do_GET(self):
        file = pathlib.Path(self.directory, "MODE")
        mode = file.read_text() if file.exists() and self.path.endswith(".update") else ""
        if mode:
            self.log_message()
            try:
                self.send_badly(mode)
            except OSError:
                pass
        else:
            super().do_GET()

    def send_badly(self, mode):
        content = pathlib.Path(self.translate_path(self.path)).read_bytes()
        self.close_connection = True
        self.send_response(200)
        if mode != "endless":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if mode == "cut":
            self.wfile.write(content[: len(content) // 2])
        while mode == "endless":
            self.wfile.write(content)
        piece = int(mode.removeprefix("slow ")) << 10 if mode.startswith("slow ") else 0
        for at in range(0, len(content), piece) if piece else []:
            self.wfile.write(content[at : at + piece])
            time.sleep(0.2)


class Server(http.server.ThreadingHTTPServer):
    """Whoever does not trust the certificate goes away in the middle of the handshake."""

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)

    def handler(*arguments):
        return Handler(*arguments, directory=options.folder)

    server = Server(("0.0.0.0", options.port), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    log("listening")
    server.serve_forever()


main()
