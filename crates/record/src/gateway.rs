//! The host in IPSECKEY (RFC 4025 section 2.5) and AMTRELAY (RFC 8777 section 4.2.4): none, an address, or a name,
//! told apart by a number before it.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::parse::Cursor;
use crate::table::{take, take_name};

/// Appends the octets of a host of this kind.
pub(crate) fn read(kind: u8, c: &mut Cursor<'_, '_>, data: &mut Vec<u8>) -> Option<()> {
    match kind {
        0 if c.next("`.`").ok()?.text == "." => {}
        1 => data.extend(c.next("the address").ok()?.text.parse::<Ipv4Addr>().ok()?.octets()),
        2 => data.extend(c.next("the address").ok()?.text.parse::<Ipv6Addr>().ok()?.octets()),
        3 => data.extend_from_slice(c.name("the name").ok()?.as_wire()),
        _ => return None,
    }
    Some(())
}

/// Appends the text of a host of this kind.
pub(crate) fn print(kind: u8, rest: &mut &[u8], text: &mut String) -> Option<()> {
    match kind {
        0 => text.push('.'),
        1 => write!(text, "{}", Ipv4Addr::from(take::<4>(rest)?)).ok()?,
        2 => write!(text, "{}", Ipv6Addr::from(take::<16>(rest)?)).ok()?,
        3 => write!(text, "{}", take_name(rest)?).ok()?,
        _ => return None,
    }
    Some(())
}
