//! Which addresses a step may reach: those of the open internet, unless its host is listed as private.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is of the open internet: not of this machine, a private network, a link, a test, a group.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => public_v4(address),
        IpAddr::V6(address) => public_v6(address),
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    let protocol = a == 192 && b == 0 && c == 0;
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || shared
        || benchmark
        || protocol)
}

fn public_v6(address: Ipv6Addr) -> bool {
    // An IPv4 address in the clothes of an IPv6 one is judged as what it is: mapped, compatible, NAT64, 6to4.
    let segments = address.segments();
    let [.., high, low] = segments;
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    let inner = Ipv4Addr::new(a, b, c, d);
    match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, ..] => return public_v4(inner),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => return public_v4(inner),
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            return public_v4(Ipv4Addr::new(a, b, c, d));
        }
        _ => {}
    }
    // Only 2000::/3 is given out; in it, what is for documentation and Teredo's tunnels is no host of anybody's.
    let given_out = segments[0] & 0xe000 == 0x2000;
    let documentation = segments[0] == 0x2001 && segments[1] == 0x0db8;
    let teredo = segments[0] == 0x2001 && segments[1] == 0;
    given_out && !documentation && !teredo
}
