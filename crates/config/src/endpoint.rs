//! The base address of an HTTP service (`design.md` section 6).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::texts::Fault;

/// A base address: `https://`, or `http://` to a loopback address; without user, password and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    origin: String,
    is_loopback: bool,
}

impl Endpoint {
    /// The address as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `scheme://host:port` in lower case, the port always there: who gets what is sent.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is an address of this machine.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        // Nothing of the text is repeated in a message: somebody may have put a password in it.
        let fault = |message: &str| Fault::new(message).help("write the base address alone: \"https://HOST/PATH\"");
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(fault("a blank or control character in an address"));
        }
        let lower = text.to_ascii_lowercase();
        let (scheme, default_port) = if lower.starts_with("https://") {
            ("https", 443)
        } else if lower.starts_with("http://") {
            ("http", 80)
        } else {
            return Err(fault("no address that begins with https://"));
        };
        let rest = lower.get(scheme.len() + "://".len()..).unwrap_or_default();
        if rest.contains('#') {
            return Err(fault("an address with a fragment"));
        }
        let authority = rest.split(['/', '?', '\\']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(Fault::new("an address with a user's name or password in it")
                .help("name the credentials in their own keys, by reference"));
        }
        let (host, port) = split_port(authority, default_port).ok_or_else(|| fault("a port that is none"))?;
        let address = address(host);
        let is_name = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        if host.is_empty() || (address.is_none() && !is_name) {
            return Err(fault("an address without a host"));
        }
        let is_loopback = address.is_some_and(|address| address.is_loopback());
        if scheme == "http" && !is_loopback {
            return Err(Fault::new("plain HTTP to another machine: credentials would be sent in the clear")
                .help("write https://; http:// is for loopback addresses such as http://127.0.0.1:8080"));
        }
        Ok(Self { text: text.to_owned(), origin: format!("{scheme}://{host}:{port}"), is_loopback })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The host, in brackets for IPv6, and the port.
fn split_port(authority: &str, default: u16) -> Option<(&str, u16)> {
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(end..)?.find(':') {
        Some(colon) => (authority.get(..end + colon)?, authority.get(end + colon + 1..)?),
        None => return Some((authority, default)),
    };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0)?;
    Some((host, port))
}

fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn origins() {
        let origin = |text| Endpoint::parse(text).map(|endpoint| (endpoint.origin.clone(), endpoint.is_loopback));
        for (text, expected, loopback) in [
            ("https://API.Example.com/client/v4", "https://api.example.com:443", false),
            ("HTTPS://api.example.com:443", "https://api.example.com:443", false),
            ("https://ccp.example/endpoint.php?JSON", "https://ccp.example:443", false),
            ("https://host?x=1", "https://host:443", false),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080", true),
            ("http://127.9.9.9", "http://127.9.9.9:80", true),
            ("http://[::1]:5000", "http://[::1]:5000", true),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443", false),
        ] {
            assert_eq!(origin(text), Ok((expected.to_owned(), loopback)), "{text}");
        }
        for text in [
            "",
            "https://",
            "https:///x",
            "https://:443",
            "api.example.com",
            "ftp://api.example.com",
            "http://api.example.com",
            "http://localhost:8080",
            "http://127.0.0.1.example.com",
            "http://[2001:db8::1]",
            "https://user:hunter2@api.example.com",
            "https://api.example.com@evil.example",
            "https://api.example.com/#x",
            "https://api.example.com:0",
            "https://api.example.com:+80",
            "https://api.example.com:99999",
            "https://[::1",
            "https://a b",
            "https://\u{202e}example",
        ] {
            let fault = Endpoint::parse(text).unwrap_err();
            assert!(fault.help.is_some() && !fault.message.contains("hunter2"), "{text}: {}", fault.message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(https?://)?\\PC{0,40}") {
            if let Ok(endpoint) = Endpoint::parse(&text) {
                prop_assert_eq!(endpoint.as_str(), text.as_str());
                prop_assert!(endpoint.is_loopback() || endpoint.origin().starts_with("https://"));
            }
        }
    }
}
