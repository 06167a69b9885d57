"""Only what a stranger on the Internet would reach too is a public address."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.public_address import is_public

PUBLIC = ["1.1.1.1", "8.8.8.8", "157.240.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1"]
PUBLIC += ["2606:4700::1111", "2a03:2880::1", "64:ff9b::808:808"]

PRIVATE = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1
192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:8.8.8.8
::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1
2001:0:53aa:64c:0:0:80ff:fffe 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%1 fec0::1 ff02::1 2606:4700::1111%1
"""

NO_ADDRESS = ["", "localhost", "2130706433", "0x7f.1", "127.1", "017700000001", "1.1.1.1.", "[::1]"]


@pytest.mark.parametrize("text", PUBLIC)
def test_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize("text", PRIVATE.split())
def test_address_that_leads_elsewhere_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.integers(0, 2**32 - 1))
def test_never_more_is_public_than_the_standard_library_says(number: int) -> None:
    address = IPv4Address(number)
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**32 - 1), st.sampled_from(["::", "::ffff:0:0", "2002::", "fe80::5efe:0:0"]))
def test_no_tunnel_makes_an_ipv4_address_public(number: int, prefix: str) -> None:
    shift = 80 if prefix == "2002::" else 0
    assert not is_public(str(IPv6Address(int(IPv6Address(prefix)) | number << shift)))


@given(st.integers(0, 2**32 - 1))
def test_translated_address_is_as_public_as_the_one_inside(number: int) -> None:
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | number)
    assert is_public(str(translated)) == is_public(str(IPv4Address(number)))
