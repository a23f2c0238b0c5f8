//! Which hosts a component may reach, and how.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};

use wargate_console::harmless;
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::arguments::GrantArguments;
use crate::failure::Failure;
use crate::limits::FOUND_ADDRESSES_MAX;

/// What is allowed of the network.
#[derive(Debug, Default)]
pub(crate) struct Network {
    http: Vec<Target>,
    connect: Vec<Target>,
    listen: Vec<SocketAddr>,
    /// Addresses that names in `connect` have had: a name may have others each time it is asked for.
    found: Mutex<HashSet<(String, IpAddr)>>,
}

/// A host, and a port of it; `None` is every port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    host: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Everywhere,
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

impl Network {
    /// Reads what was typed.
    ///
    /// # Errors
    /// It cannot be understood.
    pub(crate) fn new(arguments: &GrantArguments) -> Result<Self, Failure> {
        let http = targets("--allow-http", "HOST or HOST:PORT", &arguments.allow_http, false)?;
        let connect = targets("--allow-connect", "HOST:PORT", &arguments.allow_connect, true)?;
        let listen = arguments.allow_listen.iter().map(|text| {
            text.parse()
                .map_err(|_| wrong("--allow-listen", text, "ADDRESS:PORT, as 127.0.0.1:8080"))
        });
        let listen = listen.collect::<Result<_, _>>()?;
        Ok(Self { http, connect, listen, found: Mutex::default() })
    }

    /// Whether an HTTP request may be sent to an authority, of which the port may be the scheme's.
    pub(crate) fn allows_http(&self, host: &str, port: Option<u16>, is_https: bool) -> bool {
        let usual = if is_https { 443 } else { 80 };
        let here = place(host);
        self.http.iter().any(|target| {
            let is_place = target.host == Place::Everywhere || Some(&target.host) == here.as_ref();
            // A host without a port means HTTP and HTTPS where they usually are.
            let is_port = match (target.port, &target.host) {
                (Some(allowed), _) => allowed == port.unwrap_or(usual),
                (None, Place::Everywhere) => true,
                (None, _) => port.is_none_or(|port| port == usual),
            };
            is_place && is_port
        })
    }

    /// Whether there is a reason to have TCP.
    pub(crate) fn allows_tcp(&self) -> bool {
        !self.connect.is_empty() || !self.listen.is_empty()
    }

    /// Whether the addresses of a name may be asked for.
    pub(crate) fn allows_lookup(&self, name: &str) -> bool {
        match place(name) {
            // Nobody is asked for it.
            Some(Place::Address(_)) => true,
            Some(place) => self
                .connect
                .iter()
                .any(|target| target.host == place || target.host == Place::Everywhere),
            None => false,
        }
    }

    /// Whether a socket may be used so. Finds the addresses of names, which takes time.
    pub(crate) fn allows_socket(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        match purpose {
            SocketAddrUse::TcpConnect => self.allows_connect(address),
            SocketAddrUse::TcpBind => {
                let is_any = address.ip().is_unspecified() && address.port() == 0;
                (is_any && !self.connect.is_empty()) || self.listen.contains(&address)
            }
            SocketAddrUse::TcpListen => self.listen.iter().any(|allowed| {
                allowed.ip() == address.ip() && [0, address.port()].contains(&allowed.port())
            }),
            // Whoever comes to where it may listen.
            SocketAddrUse::TcpAccept => !self.listen.is_empty(),
            SocketAddrUse::UdpBind | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => false,
        }
    }

    fn allows_connect(&self, address: SocketAddr) -> bool {
        let of_port = |target: &&Target| target.port.is_none_or(|port| port == address.port());
        let targets = || self.connect.iter().filter(of_port);
        if targets().any(|target| match target.host {
            Place::Everywhere => true,
            Place::Address(allowed) => allowed == address.ip(),
            Place::Name(_) => false,
        }) {
            return true;
        }
        let names: Vec<&String> = targets()
            .filter_map(|target| match &target.host {
                Place::Name(name) => Some(name),
                _ => None,
            })
            .collect();
        let is_found = |found: &HashSet<(String, IpAddr)>| {
            names.iter().any(|name| found.contains(&((*name).clone(), address.ip())))
        };
        if names.is_empty() || is_found(&self.found.lock().unwrap_or_else(PoisonError::into_inner))
        {
            return !names.is_empty();
        }
        let addresses = names.iter().flat_map(|name| {
            let addresses = (name.as_str(), address.port()).to_socket_addrs().into_iter().flatten();
            addresses.map(|it| ((*name).clone(), it.ip().to_canonical()))
        });
        let addresses: Vec<_> = addresses.collect();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() > FOUND_ADDRESSES_MAX {
            found.clear();
        }
        found.extend(addresses);
        is_found(&found)
    }
}

fn targets(
    flag: &str,
    form: &str,
    texts: &[String],
    needs_port: bool,
) -> Result<Vec<Target>, Failure> {
    let read = |text: &String| target(text, needs_port).ok_or_else(|| wrong(flag, text, form));
    texts.iter().map(read).collect()
}

fn wrong(flag: &str, text: &str, form: &str) -> Failure {
    let text = harmless(text);
    Failure::usage(format!("`{flag} {text}` cannot be understood"))
        .hint(format!("it is written {form}"))
}

/// `HOST:PORT`, of which both may be `*`; `*` alone is both.
fn target(text: &str, needs_port: bool) -> Option<Target> {
    if text == "*" {
        return Some(Target { host: Place::Everywhere, port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        Some("*") => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None if needs_port => return None,
        None => None,
    };
    let host = if host == "*" { Place::Everywhere } else { place(host)? };
    Some(Target { host, port })
}

/// An address, with or without the brackets of IPv6, or a name.
fn place(host: &str) -> Option<Place> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(Place::Address(address.to_canonical()));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = |it: char| it.is_ascii_alphanumeric() || "-._".contains(it);
    let fits = !host.is_empty() && host.len() <= 253 && host.chars().all(is_name);
    fits.then(|| Place::Name(host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(http: &[&str], connect: &[&str], listen: &[&str]) -> Result<Network, Failure> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Network::new(&GrantArguments {
            allow_http: texts(http),
            allow_connect: texts(connect),
            allow_listen: texts(listen),
            ..GrantArguments::default()
        })
    }

    #[test]
    fn requests_go_where_they_may() {
        let some =
            network(&["a.example", "B.example:8080", "[::1]:81", "10.0.0.1"], &[], &[]).unwrap();
        for (host, port, https, allowed) in [
            ("a.example", None, true, true),
            ("A.Example.", None, false, true),
            ("a.example", Some(443), true, true),
            ("a.example", Some(80), true, false),
            ("a.example", Some(22), false, false),
            ("b.example", Some(8080), false, true),
            ("b.example", None, false, false),
            ("x.a.example", None, true, false),
            ("a.example.evil", None, true, false),
            ("[::1]", Some(81), false, true),
            ("[::1]", None, false, false),
            ("10.0.0.1", None, false, true),
            ("10.0.0.2", None, false, false),
            ("a.example@evil", None, true, false),
            ("", None, true, false),
        ] {
            assert_eq!(some.allows_http(host, port, https), allowed, "{host} {port:?}");
        }
        assert!(network(&["*"], &[], &[]).unwrap().allows_http("any.example", Some(1), false));
        let tls = network(&["*:443"], &[], &[]).unwrap();
        assert!(
            tls.allows_http("any.example", None, true)
                && !tls.allows_http("any.example", None, false)
        );
        assert!(!network(&[], &["*"], &[]).unwrap().allows_http("any.example", None, true));
    }

    #[test]
    fn sockets_do_what_they_may() {
        use SocketAddrUse::{TcpBind, TcpConnect, TcpListen, UdpBind, UdpSend};
        let some =
            network(&[], &["127.0.0.1:5432", "*:443", "localhost:81"], &["127.0.0.1:0", "[::1]:9"]);
        let some = some.unwrap();
        for (address, purpose, allowed) in [
            ("127.0.0.1:5432", TcpConnect, true),
            ("[::ffff:127.0.0.1]:5432", TcpConnect, true),
            ("127.0.0.1:5433", TcpConnect, false),
            ("10.1.2.3:443", TcpConnect, true),
            ("127.0.0.1:81", TcpConnect, true),
            ("10.1.2.3:81", TcpConnect, false),
            ("0.0.0.0:0", TcpBind, true),
            ("0.0.0.0:80", TcpBind, false),
            ("127.0.0.1:0", TcpBind, true),
            ("127.0.0.1:4711", TcpListen, true),
            ("0.0.0.0:4711", TcpListen, false),
            ("[::1]:9", TcpListen, true),
            ("[::1]:10", TcpListen, false),
            ("0.0.0.0:0", UdpBind, false),
            ("127.0.0.1:5432", UdpSend, false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(some.allows_socket(address, purpose), allowed, "{address}");
        }
        let none = network(&["*"], &[], &[]).unwrap();
        assert!(!none.allows_tcp() && !none.allows_lookup("localhost"));
        let one = network(&[], &["localhost:1"], &[]).unwrap();
        assert!(one.allows_lookup("LocalHost") && !one.allows_lookup("other.example"));
        assert!(one.allows_lookup("10.0.0.1"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for text in
            ["", "a", "a:", ":1", "a:x", "a:0", "a:70000", "a b:1", "::1:1", "a/b:1", "http://a:1"]
        {
            assert!(network(&[], &[text], &[]).is_err(), "{text}");
        }
        for text in ["", "http://a", "a/b", "a:x", "*.example"] {
            assert!(network(&[text], &[], &[]).is_err(), "{text}");
        }
        for text in ["", "localhost:1", "127.0.0.1", "*:1"] {
            assert!(network(&[], &[], &[text]).is_err(), "{text}");
        }
    }
}
