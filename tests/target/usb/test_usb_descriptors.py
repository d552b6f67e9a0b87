"""The descriptors of the USB device, read field by field as the specifications define them.

Sources: USB 2.0, section 9.6; Interface Association Descriptor ECN; CDC 1.2 and PSTN 1.2,
section 5; MIDI Devices 1.0, section 6 and appendix B.
"""

import struct

import pytest
from support.usb_bus import PACKET_BYTES, get_descriptor

pytestmark = pytest.mark.firmware

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT = 1, 2, 3, 4, 5
QUALIFIER, ASSOCIATION, CS_INTERFACE, CS_ENDPOINT = 6, 11, 0x24, 0x25
FROM_HOST, TO_HOST, BULK, INTERRUPT = 0, 0x80, 2, 3
EMBEDDED, EXTERNAL = 1, 2


@pytest.fixture
def descriptors(host) -> list[bytes]:
    """The descriptors of the configuration, in their order."""
    whole = host.control(get_descriptor(CONFIGURATION))
    found, at = [], 0
    while at < len(whole):
        assert whole[at] >= 2
        found.append(whole[at : at + whole[at]])
        at += whole[at]
    assert at == len(whole)
    return found


def of_interface(descriptors, number: int) -> list[bytes]:
    """Returns an interface's descriptors, from its own to the next interface or association."""
    kinds = [(d[1], d[2]) for d in descriptors]
    start = kinds.index((INTERFACE, number))
    ends = [i for i, (kind, _) in enumerate(kinds) if kind in (INTERFACE, ASSOCIATION)]
    return descriptors[start : min((i for i in ends if i > start), default=len(kinds))]


def test_device_descriptor(host):
    device = host.control(get_descriptor(DEVICE, length=18))
    fields = struct.unpack("<BBHBBBBHHHBBBB", device)
    assert fields[:3] == (18, DEVICE, 0x0200)
    assert fields[3:6] == (0xEF, 2, 1)  # the functions are described by interface associations
    assert fields[6] == PACKET_BYTES
    assert fields[7:9] == (0x1209, 0x0001)  # test ids of pid.codes
    assert fields[10:] == (1, 2, 0, 1)  # manufacturer, product, serial number, configurations


def test_device_of_full_speed_has_no_qualifier_and_no_second_configuration(host):
    """USB 2.0, 9.6.2: a device of full speed alone answers with a request error."""
    assert host.control(get_descriptor(QUALIFIER, length=10)) is None
    assert host.control(get_descriptor(CONFIGURATION, index=1)) is None
    assert host.control(get_descriptor(DEVICE, index=1)) is None


def test_strings_are_utf_16_of_the_only_language(host):
    def string(index: int) -> bytes:
        descriptor = host.control(get_descriptor(STRING, index))
        assert descriptor[:2] == bytes([len(descriptor), STRING])
        return descriptor[2:]

    assert string(0) == struct.pack("<H", 0x0409)
    assert string(1).decode("utf-16-le") == "neural FM"
    assert string(2).decode("utf-16-le") == "neural FM player"
    assert host.control(get_descriptor(STRING, 3)) is None


def test_configuration_descriptor(host, descriptors):
    whole = host.control(get_descriptor(CONFIGURATION))
    fields = struct.unpack("<BBHBBBBB", descriptors[0])
    assert fields == (9, CONFIGURATION, len(whole), 4, 1, 0, 0x80, 50)  # bus powered, 100 mA
    interfaces = [d for d in descriptors if d[1] == INTERFACE]
    assert [d[2] for d in interfaces] == [0, 1, 2, 3]
    assert all(d[3] == 0 for d in interfaces)  # no alternate settings
    for interface in interfaces:
        endpoints = [d for d in of_interface(descriptors, interface[2]) if d[1] == ENDPOINT]
        assert len(endpoints) == interface[4]


def test_associations_name_class_and_interfaces_of_each_function(descriptors):
    """The ECN: class, subclass and protocol are those of the function's first interface."""
    associations = [d for d in descriptors if d[1] == ASSOCIATION]
    assert [tuple(d[2:4]) for d in associations] == [(0, 2), (2, 2)]
    for association in associations:
        first = of_interface(descriptors, association[2])[0]
        assert association[4:7] == first[5:8]
        assert descriptors[descriptors.index(association) + 1] == first


def test_console_is_an_abstract_control_model(descriptors):
    control, *functional, notification = of_interface(descriptors, 0)
    assert tuple(control[5:8]) == (2, 2, 0)
    assert functional == [
        bytes([5, CS_INTERFACE, 0x00, 0x20, 0x01]),  # CDC 1.20
        bytes([5, CS_INTERFACE, 0x01, 0x00, 1]),  # no call management
        bytes([4, CS_INTERFACE, 0x02, 0x02]),  # line coding, control line state
        bytes([5, CS_INTERFACE, 0x06, 0, 1]),  # control, data
    ]
    assert struct.unpack("<BBBBHB", notification)[2:5] == (TO_HOST | 1, INTERRUPT, 16)
    data, *endpoints = of_interface(descriptors, 1)
    assert tuple(data[5:8]) == (10, 0, 0)
    assert [struct.unpack("<BBBBHB", d)[2:] for d in endpoints] == [
        (FROM_HOST | 2, BULK, PACKET_BYTES, 0),
        (TO_HOST | 2, BULK, PACKET_BYTES, 0),
    ]


def test_audio_control_names_the_midi_interface(descriptors):
    control, header = of_interface(descriptors, 2)
    assert tuple(control[4:8]) == (0, 1, 1, 0)  # no endpoint; audio control
    assert struct.unpack("<BBBHHBB", header) == (9, CS_INTERFACE, 1, 0x0100, 9, 1, 3)


def test_midi_jacks_connect_each_endpoint_with_the_player(descriptors):
    interface, header, *rest = of_interface(descriptors, 3)
    assert tuple(interface[4:8]) == (2, 1, 3, 0)
    n_bytes = len(header) + sum(map(len, rest))
    assert struct.unpack("<BBBHH", header) == (7, CS_INTERFACE, 1, 0x0100, n_bytes)
    inputs = {d[4]: d[3] for d in rest if tuple(d[:3]) == (6, CS_INTERFACE, 2)}
    outputs = {d[4]: d for d in rest if tuple(d[:3]) == (9, CS_INTERFACE, 3)}
    assert len(inputs | outputs) == 4  # ids are unique
    for output in outputs.values():
        n_pins, source, pin = output[5:8]
        assert (n_pins, pin, output[8]) == (1, 1, 0)
        assert {output[3], inputs[source]} == {EMBEDDED, EXTERNAL}
    jacks = [d for d in rest if d[1] == CS_INTERFACE]
    (out, of_out), (in_, of_in) = (rest[len(jacks) + i : len(jacks) + i + 2] for i in (0, 2))
    assert struct.unpack("<BBBBHBBB", out) == (9, ENDPOINT, FROM_HOST | 3, BULK, 64, 0, 0, 0)
    assert struct.unpack("<BBBBHBBB", in_) == (9, ENDPOINT, TO_HOST | 3, BULK, 64, 0, 0, 0)
    assert tuple(of_out[:4]) == tuple(of_in[:4]) == (5, CS_ENDPOINT, 1, 1)
    assert inputs[of_out[4]] == EMBEDDED  # what comes from the host enters the device
    assert outputs[of_in[4]][3] == EMBEDDED


def test_endpoint_addresses_are_unique_and_no_higher_than_3(descriptors):
    """The OTG FS of the STM32F407 has three endpoints in each direction besides endpoint 0."""
    addresses = [d[2] for d in descriptors if d[1] == ENDPOINT]
    assert len(set(addresses)) == len(addresses) == 5
    assert all(1 <= address & 0x7F <= 3 for address in addresses)


def test_host_gets_no_more_of_a_descriptor_than_it_asks_for(host):
    whole = host.control(get_descriptor(CONFIGURATION))
    for length in (1, 9, 63, 64, 65, 128, len(whole) - 1, len(whole), 1000):
        assert host.control(get_descriptor(CONFIGURATION, length=length)) == whole[:length]
