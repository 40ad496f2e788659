"""Reads a Perfetto trace by the wire format of Protocol Buffers alone, and holds it to Perfetto's own rules."""

import struct
from dataclasses import dataclass, field


def fields(data):
    """Numbers and values of a message's fields, in order: integers, or the bytes of what has a length."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == 0:
            yield number, varint()
        elif wire == 1:
            yield number, struct.unpack_from("<Q", data, at)[0]
            at += 8
        elif wire == 2:
            length = varint()
            assert at + length <= len(data), "a field ends after its message"
            yield number, data[at : at + length]
            at += length
        else:
            raise AssertionError(f"wire type {wire}")


@dataclass
class Trace:
    slices: list = field(default_factory=list)  # name, duration, outcome
    flows: set = field(default_factory=set)
    threads: dict = field(default_factory=dict)  # track: name
    counters: dict = field(default_factory=dict)  # name: values by time


def read(data):
    trace, tracks, events = Trace(), {}, []
    for number, packet in fields(data):
        assert number == 1, "a trace is packets"
        packet = dict(fields(packet))
        assert packet[10] == 1, "one sequence"
        if 60 in packet:
            descriptor = dict(fields(packet[60]))
            assert descriptor[1] not in tracks, "a track is described once"
            assert 5 not in descriptor or descriptor[5] in tracks, "a parent comes first"
            tracks[descriptor[1]] = descriptor
            if 4 in descriptor:
                trace.threads[descriptor[1]] = dict(fields(descriptor[4]))[5].decode()
        if 11 in packet:
            events.append((packet[8], list(fields(packet[11]))))
    # As Perfetto does: by time, and within an instant as written.
    events.sort(key=lambda event: event[0])
    stacks = {}
    for at, event in events:
        first = dict(event)
        track, kind = first[11], first[9]
        assert track in tracks, "an event is on a track that was described"
        if kind == 1:
            notes = [dict(fields(value)) for number, value in event if number == 4]
            notes = {note[10].decode(): note[6].decode() for note in notes}
            flow = [value for number, value in event if number == 47]
            if flow:
                assert [f"{flow[0]:016x}"] == [notes["trace"]]
                trace.flows.add(flow[0])
            stacks.setdefault(track, []).append((first[23].decode(), at, notes.get("outcome", "ok")))
        elif kind == 2:
            name, start, outcome = stacks[track].pop()
            trace.slices.append((name, at - start, outcome))
        elif kind == 4:
            name = tracks[track][2].decode()
            value = first[30]
            trace.counters.setdefault(name, []).append(value - (1 << 64) if value >> 63 else value)
        else:
            raise AssertionError(f"an event of kind {kind}")
    assert not any(stacks.values()), "everything that began has ended"
    return trace
