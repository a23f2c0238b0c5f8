//! Which addresses a publisher may make the registry connect to: those that anybody on the internet
//! could connect to, and those that the operator names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What an operator allows beyond the internet: a host by its name, or addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Whatever it resolves to, on any port.
    Host(String),
    /// On any port.
    Net(IpNet),
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || !text.bytes().all(legal) {
            return Err(format!("{text:?} is no host and no range of addresses (10.0.0.0/8)"));
        }
        Ok(Self::Host(text.trim_end_matches('.').to_ascii_lowercase()))
    }
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

/// Addresses that are not the whole internet's (IANA's registry of special addresses; 6to4 relays).
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // behind the NAT of a provider
    v4(127, 0, 0, 8),     // this machine
    v4(169, 254, 0, 16),  // this link, and the metadata of clouds
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocols
    v4(192, 0, 2, 24),    // documentation
    v4(192, 31, 196, 24), // AS112
    v4(192, 52, 193, 24), // AMT
    v4(192, 88, 99, 24),  // 6to4 relays
    v4(192, 168, 0, 16),  // private
    v4(192, 175, 48, 24), // AS112
    v4(198, 18, 0, 15),   // benchmarks
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
];

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

/// All that is assigned to the internet. Addresses with an IPv4 address in them, translated or mapped,
/// those of links, sites and this machine, and multicast lie outside.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What lies inside and is not the internet's.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),      // protocols, Teredo with its IPv4 addresses, ORCHID
    v6(0x2001, 0x0db8, 32), // documentation
    v6(0x2002, 0, 16),      // 6to4, which has an IPv4 address in it
    v6(0x3fff, 0, 20),      // documentation
];

/// Whether an address is the internet's.
pub(crate) fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            // Multicast and what is reserved, with the address of all.
            address.octets()[0] < 224 && !SPECIAL_V4.iter().any(|net| net.contains(&address))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internet_is_told_from_everything_else() {
        let global =
            ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "223.255.255.1", "198.20.0.1"];
        let global =
            global.iter().chain(&["2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888"]);
        for text in global {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.175.48.1",
            "192.31.196.1",
            "192.52.193.1",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for text in special {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn operators_allow_hosts_and_ranges() {
        assert_eq!("10.0.0.0/8".parse(), Ok(Allowed::Net("10.0.0.0/8".parse().unwrap())));
        assert_eq!("::1".parse(), Ok(Allowed::Net("::1/128".parse().unwrap())));
        assert_eq!("Files.Example.".parse(), Ok(Allowed::Host("files.example".into())));
        for wrong in ["", "http://a", "a:80", "a b", "*.a", "10.0.0.0/33"] {
            assert!(wrong.parse::<Allowed>().is_err(), "{wrong}");
        }
    }
}
