"""A mail server that misbehaves on request. Prints one JSON line per event.

Modes: good | busy (450 to the recipient) | full (452 to the mail itself) | stranger (550 to the recipient)
 | drop-data (goes away in the middle of the mail) | drop-end (goes away instead of the last answer)
 | silent (never greets) | slow (2 s before each answer) | flood (greets without end)
 | broken-tls (offers STARTTLS, then speaks no TLS) | inject (answers more than was asked to STARTTLS)
 | no-auth (offers no AUTH)
"""

import argparse
import json
import socket
import ssl
import sys
import threading
import time


def log(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Gone(Exception):
    pass


class Conversation:
    def __init__(self, connection, options):
        self.connection = connection
        self.options = options
        self.rest = b""

    def say(self, line):
        if self.options.mode == "slow":
            time.sleep(2)
        self.connection.sendall(line.encode() + b"\r\n")

    def line(self):
        while b"\n" not in self.rest:
            data = self.connection.recv(4096)
            if not data:
                raise Gone
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.rstrip(b"\r")

    def hold(self):
        mode = self.options.mode
        if mode == "silent":
            threading.Event().wait()
        if mode == "flood":
            while True:
                self.connection.sendall(b"220-" + b"x" * 400 + b"\r\n")
        self.say("220 nasty.hospital.example ESMTP")
        while True:
            line = self.line().decode("latin-1")
            verb = line.split(" ")[0].split(":")[0].upper()
            log("line", line=line)
            getattr(self, "on_" + verb.lower(), self.on_other)()

    def on_other(self):
        self.say("502 5.5.1 what?")

    def on_ehlo(self):
        tls = isinstance(self.connection, ssl.SSLSocket)
        offers = ["nasty.hospital.example", "8BITMIME"]
        if self.options.mode in ("broken-tls", "inject") and not tls:
            offers.append("STARTTLS")
        for offer in offers[:-1]:
            self.connection.sendall(f"250-{offer}\r\n".encode())
        self.say(f"250 {offers[-1]}")

    def on_starttls(self):
        if self.options.mode == "broken-tls":
            self.say("220 go on")
            self.connection.sendall(b"this is no TLS at all\r\n" * 10)
            raise Gone
        self.connection.sendall(b"220 go on\r\n250 injected\r\n250 injected\r\n")
        raise Gone

    def on_mail(self):
        self.say("250 ok")

    def on_rcpt(self):
        answers = {
            "busy": "450 4.7.1 Greylisted, come back later",
            "stranger": "550 5.1.1 No such user here",
        }
        self.say(answers.get(self.options.mode, "250 ok"))

    def on_data(self):
        self.say("354 go on")
        if self.options.mode == "drop-data":
            self.connection.recv(10)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            raise Gone
        lines = []
        while (line := self.line()) != b".":
            lines.append(line.decode("utf-8", "replace"))
        if self.options.mode == "drop-end":
            raise Gone
        if self.options.mode == "full":
            self.say("452 4.3.1 The disk is full")
            return
        log("mail", text="\n".join(lines))
        self.say("250 2.0.0 taken as 4711")

    def on_quit(self):
        self.say("221 bye")
        raise Gone


def hold(connection, options):
    try:
        Conversation(connection, options).hold()
    except (Gone, OSError):
        pass
    finally:
        connection.close()
        log("closed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mode", required=True)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args()
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
    listener = socket.create_server(("", options.port))
    while True:
        connection, peer = listener.accept()
        log("connection", peer=peer[0])
        if context:
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except (ssl.SSLError, OSError) as error:
                log("tls", error=str(error))
                continue
        threading.Thread(target=hold, args=(connection, options), daemon=True).start()


main()
