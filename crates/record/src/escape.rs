//! The escapes of RFC 1035 section 5.1: `\X` and `\DDD`.

use std::fmt;

/// The octets that `text` stands for; `None` where a backslash is not followed by a character or by
/// three digits up to 255.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut octets = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte != b'\\' {
            octets.push(byte);
            continue;
        }
        let first = *bytes.get(at)?;
        if first.is_ascii_digit() {
            let digits = bytes.get(at..at + 3)?;
            let mut number = 0u16;
            for digit in digits {
                number = number * 10 + u16::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
            }
            octets.push(u8::try_from(number).ok()?);
            at += 3;
        } else {
            octets.push(first);
            at += 1;
        }
    }
    Some(octets)
}

/// A character-string in quotes, `"` and `\` escaped, what is not printable ASCII as `\DDD`.
pub(crate) fn write_quoted(f: &mut impl fmt::Write, octets: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &octet in octets {
        match octet {
            b'"' | b'\\' => {
                f.write_char('\\')?;
                f.write_char(octet as char)?;
            }
            0x20..=0x7e => f.write_char(octet as char)?,
            _ => write!(f, "\\{octet:03}")?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#"a\"b\\c\032d\;"#).unwrap(), b"a\"b\\c d;");
        assert_eq!(unescape("\u{e9}\\195").unwrap(), [0xc3, 0xa9, 195]);
        for bad in ["\\", "\\1", "\\12", "\\1a2", "\\256", "\\999"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    #[test]
    fn quotes() {
        let mut text = String::new();
        write_quoted(&mut text, b"a\"\\ \x00\xff;").unwrap();
        assert_eq!(text, r#""a\"\\ \000\255;""#);
    }
}
