use std::net::IpAddr;

use mailzone_record::Name;

/// The name of an address's PTR (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub(crate) fn reverse_name(address: IpAddr) -> Name {
    let text = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let nibbles = octets.iter().rev().map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    };
    Name::parse(&text).unwrap_or_else(|_| Name::root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        let name = |text: &str| reverse_name(text.parse().unwrap()).to_string();
        assert_eq!(name("192.0.2.25"), "25.2.0.192.in-addr.arpa.");
        let expected = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
        assert_eq!(name("2001:db8::25"), expected);
    }
}
