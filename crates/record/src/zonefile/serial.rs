/// The serial after `serial`, in its own style: `YYYYMMDDnn` becomes that of `today` (year, month, day)
/// or one more, whichever is greater; any other number is a counter and wraps (RFC 1982 section 3.1).
/// After `nn` = 99 comes the next calendar day.
pub fn raise_serial(serial: u32, today: (i32, u8, u8)) -> u32 {
    let Some((year, month, day)) = date_of(serial) else { return serial.wrapping_add(1) };
    let next = match serial % 100 {
        99 => first_of(day_after(year, month, day)),
        _ => Some(serial.wrapping_add(1)),
    };
    let now = u32::try_from(today.0).ok().and_then(|year| first_of((year, today.1.into(), today.2.into())));
    match (next, now) {
        (Some(next), Some(now)) => next.max(now),
        (Some(next), None) => next,
        // Past the last date that 32 bits hold: a counter again.
        (None, _) => serial.wrapping_add(1),
    }
}

/// The date in a serial of the form `YYYYMMDDnn`.
fn date_of(serial: u32) -> Option<(u32, u32, u32)> {
    let (year, month, day) = (serial / 1_000_000, serial / 10_000 % 100, serial / 100 % 100);
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    is_date.then_some((year, month, day))
}

fn first_of((year, month, day): (u32, u32, u32)) -> Option<u32> {
    year.checked_mul(1_000_000)?.checked_add(month * 10_000 + day * 100)
}

fn day_after(year: u32, month: u32, day: u32) -> (u32, u32, u32) {
    match (day < days_in(year, month), month) {
        (true, _) => (year, month, day + 1),
        (false, 12) => (year + 1, 1, 1),
        (false, _) => (year, month + 1, 1),
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
#[expect(clippy::inconsistent_digit_grouping, reason = "the groups are year, month, day and number")]
mod tests {
    use super::*;

    #[test]
    fn styles() {
        let today = (2026, 11, 21);
        let cases = [
            (2026_11_20_07, 2026_11_21_00),
            (2026_11_21_00, 2026_11_21_01),
            (2026_11_21_98, 2026_11_21_99),
            (2026_11_21_99, 2026_11_22_00),
            (2026_11_30_99, 2026_12_01_00),
            (2026_12_31_99, 2027_01_01_00),
            (2027_02_28_99, 2027_03_01_00),
            (2028_02_28_99, 2028_02_29_00),
            (2030_01_01_05, 2030_01_01_06),
            (2026_13_01_00, 2026_13_01_01),
            (2026_02_30_00, 2026_02_30_01),
            (1, 2),
            (0, 1),
            (1_700_000_000, 1_700_000_001),
            (4_294_123_199, 4_294_123_200),
            (u32::MAX, 0),
        ];
        for (before, after) in cases {
            assert_eq!(raise_serial(before, today), after, "{before}");
        }
        assert_eq!(raise_serial(2020_01_01_00, (-5, 0, 0)), 2020_01_01_01);
    }
}
