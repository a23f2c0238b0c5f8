//! Whose address a request is counted for.
//!
//! Where the connection comes from is known. What a proxy says of its own client is believed only of
//! proxies that the operator trusts: theirs is the right-most address of the list that is not another
//! trusted proxy's. Whatever stands further left was written by whoever asks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::header::{FORWARDED, HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Most addresses in a list that are looked at: proxies behind proxies.
const HOPS_MAX: usize = 32;

/// A network of addresses, as `10.0.0.0/8`; a single address is one, too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network has the form 10.0.0.0/8 or fd00::/8, or is a single address")]
pub struct NetworkError;

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                u64::from(differ) >> (32 - self.bits) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
            None => most,
        };
        let network = Self { address, bits };
        if bits > most || !network.contains(address) { Err(NetworkError) } else { Ok(network) }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Whose request it is that came from `peer`.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let plain = rightmost(peer, headers, &X_FORWARDED_FOR, plain_address, is_trusted);
    let named = rightmost(peer, headers, &FORWARDED, named_address, is_trusted);
    match (plain, named) {
        (Some(one), Some(other)) if one == other => one,
        // One of them is the client's own invention, and nobody knows which.
        (Some(_), Some(_)) | (None, None) => peer,
        (Some(one), None) | (None, Some(one)) => one,
    }
}

/// The right-most address of a list that is not a trusted proxy's; the left-most if all are. `None` if
/// there is no list. What cannot be read ends it: further left nothing is worth more.
fn rightmost(
    peer: IpAddr,
    headers: &HeaderMap,
    name: &HeaderName,
    parse: impl Fn(&str) -> Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut known = None;
    let values: Vec<_> = headers.get_all(name).iter().collect();
    let hops = values.iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops.take(HOPS_MAX) {
        let Some(address) = std::str::from_utf8(hop).ok().and_then(|hop| parse(hop.trim())) else {
            return Some(known.unwrap_or(peer));
        };
        let address = address.to_canonical();
        known = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    known
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn plain_address(hop: &str) -> Option<IpAddr> {
    if let Ok(address) = hop.parse() {
        return Some(address);
    }
    if let Some(rest) = hop.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.starts_with(':');
        return address.parse().ok().filter(|_| is_port).map(IpAddr::V6);
    }
    let (address, _) = hop.split_once(':')?;
    address.parse().ok().map(IpAddr::V4)
}

/// `for=192.0.2.1;proto=https` (RFC 7239).
fn named_address(hop: &str) -> Option<IpAddr> {
    let mut pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let node = node.trim();
    let plain = node.strip_prefix('"').and_then(|node| node.strip_suffix('"'));
    plain_address(plain.unwrap_or(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        address(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        const XFF: &str = "x-forwarded-for";
        assert_eq!(of("192.0.2.9", &[(XFF, "198.51.100.1")]), "192.0.2.9");
        assert_eq!(of("10.0.0.1", &[(XFF, "198.51.100.1")]), "198.51.100.1");
        assert_eq!(of("::ffff:10.0.0.1", &[(XFF, "198.51.100.1")]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
        // What the client wrote stands further left.
        assert_eq!(of("10.0.0.1", &[(XFF, "1.1.1.1, 198.51.100.1, 10.2.2.2")]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &[(XFF, "1.1.1.1"), (XFF, "198.51.100.1")]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &[(XFF, "10.3.3.3, 10.2.2.2")]), "10.3.3.3");
        assert_eq!(of("10.0.0.1", &[(XFF, "1.1.1.1, nonsense, 10.2.2.2")]), "10.2.2.2");
        assert_eq!(of("10.0.0.1", &[(XFF, "1.1.1.1, nonsense")]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[(XFF, "")]), "10.0.0.1");
        for text in ["[2001:db8::1]:443", "2001:db8::1", "[2001:db8::1]"] {
            assert_eq!(of("fd00::1", &[(XFF, text)]), "2001:db8::1", "{text}");
        }
        assert_eq!(of("10.0.0.1", &[(XFF, "198.51.100.1:1234")]), "198.51.100.1");
    }

    #[test]
    fn the_standard_header_is_understood_and_contradictions_are_not_believed() {
        let named = "for=\"[2001:db8::1]:47\";by=x, For=198.51.100.1;proto=https, for=10.0.0.3";
        assert_eq!(of("10.0.0.1", &[("forwarded", named)]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &[("forwarded", "for=\"_hidden\"")]), "10.0.0.1");
        let both = |one, other| of("10.0.0.1", &[("x-forwarded-for", one), ("forwarded", other)]);
        assert_eq!(both("198.51.100.1", "for=198.51.100.1"), "198.51.100.1");
        assert_eq!(both("198.51.100.1", "for=1.1.1.1"), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_strictly() {
        for text in ["", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10.0.0/8"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.1.2.3".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        let all: Network = "::/0".parse().unwrap();
        assert!(all.contains("2001:db8::1".parse().unwrap()));
        let one: Network = "192.0.2.1".parse().unwrap();
        assert!(one.contains("192.0.2.1".parse().unwrap()));
        assert!(!one.contains("192.0.2.0".parse().unwrap()));
    }
}
