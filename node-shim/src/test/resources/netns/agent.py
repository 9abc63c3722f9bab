"""Sits in one network namespace and does what its stdin says: one JSON request a line, one JSON reply
a line. Serves echo on TCP and UDP ports from the start; ends with its stdin."""
import json
import os
import select
import socket
import struct
import sys
import threading
import time

PORTS = [79, 80]
WAIT = 0.5
peers = []  # what shout() answers: everyone that ever called
calls = {}


class Probe(socket.socket):
    ident = b""


def family(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def serve(any_address):
    for port in PORTS:
        tcp = socket.socket(family(any_address), socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp = socket.socket(family(any_address), socket.SOCK_DGRAM)
        for each in (tcp, udp):
            if each.family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind((any_address, port))
        tcp.listen(64)
        threading.Thread(target=accept, args=(tcp,), daemon=True).start()
        threading.Thread(target=echo_udp, args=(udp,), daemon=True).start()


def accept(tcp):
    while True:
        connection, _ = tcp.accept()
        peers.append(connection.send)
        threading.Thread(target=echo_tcp, args=(connection,), daemon=True).start()


def echo_tcp(connection):
    try:
        while data := connection.recv(4096):
            connection.send(data)
    except OSError:
        pass


def echo_udp(udp):
    while True:
        data, peer = udp.recvfrom(4096)
        peers.append(lambda text: udp.sendto(text, peer))
        udp.sendto(data, peer)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def start(proto, ip, port):
    if proto == "icmp" and ":" in ip:
        probe = Probe(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        probe.ident = os.urandom(2)
        probe.connect((ip, 0))
        probe.send(struct.pack("!BBH", 128, 0, 0) + probe.ident + b"\0\1")  # the kernel sums it up
    elif proto == "icmp":
        probe = Probe(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        probe.ident = os.urandom(2)
        head = struct.pack("!BBH", 8, 0, 0) + probe.ident + b"\0\1"
        packet = struct.pack("!BBH", 8, 0, checksum(head)) + head[4:]
        probe.connect((ip, 0))
        probe.send(packet)
    elif proto == "udp":
        probe = socket.socket(family(ip), socket.SOCK_DGRAM)
        probe.connect((ip, port))
        probe.send(b"hello")
    else:
        probe = socket.socket(family(ip), socket.SOCK_STREAM)
        probe.setblocking(False)
        probe.connect_ex((ip, port))
    return probe


def probe(targets):
    """Which of [protocol, address, port] answer within WAIT."""
    results = [False] * len(targets)
    open_probes = {}
    for i, (proto, ip, port) in enumerate(targets):
        try:
            open_probes[start(proto, ip, port)] = i
        except OSError:
            pass
    end = time.monotonic() + WAIT
    while open_probes and (left := end - time.monotonic()) > 0:
        tcp = [p for p, i in open_probes.items() if targets[i][0] == "tcp"]
        other = [p for p, i in open_probes.items() if targets[i][0] != "tcp"]
        readable, writable, _ = select.select(other, tcp, [], left)
        for p in writable:
            i = open_probes.pop(p)
            results[i] = p.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            p.close()
        for p in readable:
            try:
                data = p.recv(4096)
            except OSError:
                open_probes.pop(p)
                continue
            # A raw IPv4 socket gives the IP header too.
            answer, at = (0, 20) if p.family == socket.AF_INET else (129, 0)
            if targets[open_probes[p]][0] == "icmp" and (data[at] != answer or data[at + 4:at + 6] != p.ident):
                continue
            results[open_probes.pop(p)] = True
            p.close()
    for p in open_probes:
        p.close()
    return results


def drain(call):
    heard = b""
    while select.select([call], [], [], 0)[0] and (data := call.recv(4096)):
        heard += data
    return heard


def handle(request):
    op = request["op"]
    if op == "probe":
        return probe(request["targets"])
    if op == "call":
        call = socket.socket(family(request["ip"]), socket.SOCK_STREAM if request["proto"] == "tcp" else socket.SOCK_DGRAM)
        call.settimeout(2)
        call.connect((request["ip"], request["port"]))
        calls[request["id"]] = call
        return True
    if op == "say":
        calls[request["id"]].send(request["text"].encode())
        return True
    if op == "heard":
        call = calls[request["id"]]
        if select.select([call], [], [], request["wait"])[0]:
            try:
                return drain(call).decode()
            except ConnectionRefusedError:
                return "refused"
        return ""
    if op == "shout":
        for peer in peers:
            try:
                peer(request["text"].encode())
            except OSError:
                pass
        return len(peers)
    if op == "frame":
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        link.bind(("eth0", 0))
        link.send(bytes.fromhex(request["hex"]))
        return True
    raise ValueError(op)


serve("0.0.0.0")
serve("::")
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    print(json.dumps(handle(json.loads(line))), flush=True)
