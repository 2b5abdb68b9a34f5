//! Lists of record types as windows of bits (RFC 4034 section 4.1.2): NSEC, NSEC3, CSYNC.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::RecordType;
use crate::parse::Cursor;

/// Appends the octets of the mnemonics that are left, in any order; none is an empty list.
pub(crate) fn read(c: &mut Cursor<'_, '_>, data: &mut Vec<u8>) -> Option<()> {
    let mut types = BTreeSet::new();
    while !c.is_at_end() {
        types.insert(c.next("a type").ok()?.text.parse::<RecordType>().ok()?.0);
    }
    write_windows(&types, data);
    Some(())
}

/// Appends the mnemonics of the types in `octets`, in numeric order.
pub(crate) fn print(octets: &[u8], text: &mut String) -> Option<()> {
    let mut types = BTreeSet::new();
    let mut rest = octets;
    while let [window, length, others @ ..] = rest {
        let (bits, others) = others.split_at_checked(usize::from(*length))?;
        for (i, octet) in bits.iter().enumerate() {
            let first = u16::from(*window) << 8 | u16::try_from(i * 8).ok().filter(|n| *n < 256)?;
            types.extend((0..8).filter(|bit| octet & (0x80 >> bit) != 0).map(|bit| first | bit));
        }
        rest = others;
    }
    // Windows out of order and octets that could be left out would be lost in the text.
    let mut again = Vec::with_capacity(octets.len());
    write_windows(&types, &mut again);
    for (i, number) in types.iter().enumerate() {
        write!(text, "{}{}", if i > 0 { " " } else { "" }, RecordType(*number)).ok()?;
    }
    (again == octets).then_some(())
}

fn write_windows(types: &BTreeSet<u16>, data: &mut Vec<u8>) {
    let numbers: Vec<u16> = types.iter().copied().collect();
    for window in numbers.chunk_by(|a, b| a >> 8 == b >> 8) {
        let mut bits = [0u8; 32];
        let mut length = 0u8;
        for number in window {
            let [_, low] = number.to_be_bytes();
            length = low / 8 + 1;
            // `low / 8` is below 32.
            bits[usize::from(low / 8)] |= 0x80 >> (low % 8);
        }
        data.extend(window.first().map(|number| number.to_be_bytes()[0]));
        data.push(length);
        data.extend_from_slice(&bits[..usize::from(length)]);
    }
}
