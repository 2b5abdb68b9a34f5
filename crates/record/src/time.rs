//! The times of RRSIG (RFC 4034 section 3.2).

use std::fmt::Write;

const DAY: u64 = 86_400;

/// Seconds since 1970 of `YYYYMMDDHHmmSS` (UTC, up to February 2106) or of the number itself.
pub(crate) fn read(text: &str) -> Option<u32> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if text.len() != 14 {
        return text.parse().ok();
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let real = (1970..2107).contains(&year) && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !real || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
    u32::try_from((years + months + day - 1) * DAY + hour * 3600 + minute * 60 + second).ok()
}

/// Appends `YYYYMMDDHHmmSS`.
pub(crate) fn print(seconds: u32, text: &mut String) -> Option<()> {
    let (mut days, seconds) = (u64::from(seconds) / DAY, u64::from(seconds) % DAY);
    let mut year = 1970;
    let mut month = 1;
    while let Some(rest) = days.checked_sub(if is_leap(year) { 366 } else { 365 }) {
        days = rest;
        year += 1;
    }
    while let Some(rest) = days.checked_sub(days_of(year, month)) {
        days = rest;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(text, "{year:04}{month:02}{:02}{hour:02}{minute:02}{second:02}", days + 1).ok()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let cases = [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_577_836_799, "20191231235959"),
            (4_107_542_400, "21000301000000"),
            (u32::MAX, "21060207062815"),
        ];
        for (seconds, text) in cases {
            let mut printed = String::new();
            print(seconds, &mut printed).unwrap();
            assert_eq!(printed, text);
            assert_eq!(read(text), Some(seconds));
            assert_eq!(read(&seconds.to_string()), Some(seconds));
        }
        for bad in ["", "4294967296", "21000229000000", "21060207062816", "19700101000060", "-1", "99999999999999"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
