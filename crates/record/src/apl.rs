//! APL data (RFC 3123): address prefixes such as `1:192.0.2.0/24` and `!2:2001:db8::/32`.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::parse::{Cursor, digits};
use crate::table::take;

/// Appends the octets of the items that are left; at least one.
pub(crate) fn read(c: &mut Cursor<'_, '_>, data: &mut Vec<u8>) -> Option<()> {
    loop {
        let text = c.next("an item").ok()?.text;
        let (not, text) = match text.strip_prefix('!') {
            Some(text) => (0x80, text),
            None => (0, text),
        };
        let (family, text) = text.split_once(':')?;
        let (address, prefix) = text.split_once('/')?;
        let family: u16 = digits(family)?;
        let mut octets = match family {
            1 => address.parse::<Ipv4Addr>().ok()?.octets().to_vec(),
            2 => address.parse::<Ipv6Addr>().ok()?.octets().to_vec(),
            _ => return None,
        };
        let prefix: u8 = digits(prefix).filter(|prefix| usize::from(*prefix) <= octets.len() * 8)?;
        // The zeros at the end are left out (RFC 3123 section 4).
        octets.truncate(octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1));
        data.extend(family.to_be_bytes());
        // At most 16.
        data.extend([prefix, not | octets.len() as u8]);
        data.extend(octets);
        if c.is_at_end() {
            return Some(());
        }
    }
}

/// Appends the items of all octets.
pub(crate) fn print(rest: &mut &[u8], text: &mut String) -> Option<()> {
    loop {
        let family = u16::from_be_bytes(take(rest)?);
        let [prefix, length] = take(rest)?;
        let (octets, others) = rest.split_at_checked(usize::from(length & 0x7f))?;
        *rest = others;
        let not = if length & 0x80 == 0 { "" } else { "!" };
        let mut all = [0u8; 16];
        all.get_mut(..octets.len())?.copy_from_slice(octets);
        let ([a, b, c, d, ..], 1 | 2) = (all, family) else { return None };
        match family {
            1 => write!(text, "{not}1:{}/{prefix}", Ipv4Addr::new(a, b, c, d)).ok()?,
            _ => write!(text, "{not}2:{}/{prefix}", Ipv6Addr::from(all)).ok()?,
        }
        if rest.is_empty() {
            return Some(());
        }
        text.push(' ');
    }
}
