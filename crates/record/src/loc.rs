//! LOC data (RFC 1876): a place on earth.

use std::fmt::Write;

use crate::parse::{Cursor, digits};
use crate::table::take;

/// The number that stands for the equator and for the prime meridian.
const MIDDLE: u32 = 1 << 31;
/// Centimetres from the lowest altitude up to the geoid.
const SEA_LEVEL: i64 = 10_000_000;

/// Appends the octets. Digits and sizes that the octets cannot hold do not fit.
pub(crate) fn read(c: &mut Cursor<'_, '_>, data: &mut Vec<u8>) -> Option<()> {
    let latitude = angle(c, 90, ["N", "S"])?;
    let longitude = angle(c, 180, ["E", "W"])?;
    let altitude = c.next("the altitude").ok()?.text;
    let altitude = match altitude.strip_prefix('-') {
        Some(depth) => SEA_LEVEL - i64::try_from(centimetres(depth)?).ok()?,
        None => SEA_LEVEL.checked_add(i64::try_from(centimetres(altitude)?).ok()?)?,
    };
    // 1 m, 10 km and 10 m where nothing is said (RFC 1876 section 3).
    let mut sizes = [0x12, 0x16, 0x13];
    for size in &mut sizes {
        if !c.is_at_end() {
            *size = power(centimetres(c.next("a size").ok()?.text)?)?;
        }
    }
    data.push(0);
    data.extend(sizes);
    data.extend(latitude.to_be_bytes());
    data.extend(longitude.to_be_bytes());
    data.extend(u32::try_from(altitude).ok()?.to_be_bytes());
    Some(())
}

/// Appends the text of the 16 octets.
pub(crate) fn print(rest: &mut &[u8], text: &mut String) -> Option<()> {
    let [version, sizes @ ..] = take::<4>(rest)?;
    if version != 0 {
        return None;
    }
    for letters in [["N", "S"], ["E", "W"]] {
        print_angle(u32::from_be_bytes(take(rest)?), letters, text)?;
    }
    let altitude = i64::from(u32::from_be_bytes(take(rest)?)) - SEA_LEVEL;
    let sign = if altitude < 0 { "-" } else { "" };
    write!(text, "{sign}{}.{:02}m", altitude.abs() / 100, altitude.abs() % 100).ok()?;
    for size in sizes {
        let (digit, exponent) = (u64::from(size >> 4), u32::from(size & 15));
        let size = digit * 10u64.pow(exponent);
        write!(text, " {}.{:02}m", size / 100, size % 100).ok()?;
    }
    Some(())
}

/// Degrees, minutes and seconds (the last two may be missing) and a letter, in thousandths of a second.
fn angle(c: &mut Cursor<'_, '_>, limit: u32, [positive, negative]: [&str; 2]) -> Option<u32> {
    let degrees: u32 = digits(c.next("the degrees").ok()?.text).filter(|degrees| *degrees <= limit)?;
    let mut angle = degrees * 3_600_000;
    let mut word = c.next("the direction").ok()?.text;
    let is_letter = |word: &str| word.eq_ignore_ascii_case(positive) || word.eq_ignore_ascii_case(negative);
    if !is_letter(word) {
        angle += digits::<u32>(word).filter(|minutes| *minutes < 60)? * 60_000;
        word = c.next("the direction").ok()?.text;
        if !is_letter(word) {
            angle += u32::try_from(decimal(word, 3)?).ok().filter(|seconds| *seconds < 60_000)?;
            word = c.next("the direction").ok()?.text;
        }
    }
    if angle > limit * 3_600_000 {
        return None;
    }
    match () {
        () if word.eq_ignore_ascii_case(positive) => Some(MIDDLE + angle),
        () if word.eq_ignore_ascii_case(negative) => Some(MIDDLE - angle),
        () => None,
    }
}

fn print_angle(angle: u32, [positive, negative]: [&str; 2], text: &mut String) -> Option<()> {
    let letter = if angle < MIDDLE { negative } else { positive };
    let angle = angle.abs_diff(MIDDLE);
    let (degrees, minutes, seconds) = (angle / 3_600_000, angle / 60_000 % 60, angle % 60_000);
    write!(text, "{degrees} {minutes} {}.{:03} {letter} ", seconds / 1000, seconds % 1000).ok()
}

/// Metres with at most two decimal places; the unit may be missing.
fn centimetres(text: &str) -> Option<u64> {
    decimal(text.strip_suffix(['m', 'M']).unwrap_or(text), 2)
}

/// A decimal number in units of its last possible place.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = match text.split_once('.') {
        Some((whole, part)) => (whole, Some(part).filter(|part| !part.is_empty() && part.len() <= places)?),
        None => (text, ""),
    };
    if whole.is_empty() {
        return None;
    }
    digits(&format!("{whole}{part}{:0<width$}", "", width = places - part.len()))
}

/// A number of centimetres as a digit and a power of ten (RFC 1876 section 2).
fn power(mut size: u64) -> Option<u8> {
    let mut exponent = 0;
    while size > 9 && size.is_multiple_of(10) {
        size /= 10;
        exponent += 1;
    }
    (size <= 9 && exponent <= 9).then_some((size as u8) << 4 | exponent)
}
