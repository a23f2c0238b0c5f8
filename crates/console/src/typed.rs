//! What people type to both programs.

use std::net::SocketAddr;

/// Reads where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`. Names are looked up later.
///
/// # Errors
/// What is wrong, for who typed it.
pub fn listen_address(text: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        let may_be = |it: char| it.is_ascii_alphanumeric() || "-._".contains(it);
        !name.is_empty() && name.chars().all(may_be)
    };
    let is_named = text
        .rsplit_once(':')
        .is_some_and(|(name, port)| is_name(name) && port.parse::<u16>().is_ok());
    if is_named || text.parse::<SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("it is written ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:8080".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_ports() {
        for text in ["127.0.0.1:0", "[::1]:80", "localhost:65535", "a-b.example:1"] {
            assert_eq!(listen_address(text).as_deref(), Ok(text));
        }
        for text in
            ["", ":80", "127.0.0.1", "127.0.0.1:99999", "nonsense", "::1:80", "a b:1", "a:x"]
        {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }
}
