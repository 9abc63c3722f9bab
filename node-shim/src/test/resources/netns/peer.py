"""Tells who calls. "serve PORT...": answers each TCP connection and UDP datagram on these ports, of both
families, with the caller's address; prints "ready" first and ends with its stdin. "ask PROTOCOL ADDRESS
PORT [SOURCE-PORT]": prints the answer, "refused" or "nothing"."""
import socket
import sys
import threading

WAIT = 0.5


def bound(family, kind, port):
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("", port))
    return s


def tcp(s):
    s.listen()
    while True:
        connection, peer = s.accept()
        connection.send(peer[0].split("%")[0].encode())
        connection.close()


def udp(s):
    while True:
        _, peer = s.recvfrom(4096)
        s.sendto(peer[0].split("%")[0].encode(), peer)


def serve(ports):
    for port in ports:
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind, answer in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
                threading.Thread(target=answer, args=(bound(family, kind, port),), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def ask(protocol, address, port, source=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    s.settimeout(WAIT)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if source:
        s.bind(("", int(source)))
    try:
        s.connect((address, int(port)))
        if protocol == "udp":
            s.send(b"who am I")
        return s.recv(4096).decode()
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "nothing"


if sys.argv[1] == "serve":
    serve([int(port) for port in sys.argv[2:]])
else:
    print(ask(*sys.argv[2:]))
