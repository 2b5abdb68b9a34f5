use std::fmt;

/// A time to live in seconds, at most 2^31 - 1 (RFC 2181 section 8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u32);

/// Why a text is no time to live.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TtlError {
    /// Neither a number nor numbers with the units `s m h d w`.
    #[error("not a number of seconds, nor numbers with the units s, m, h, d, w")]
    Syntax,
    /// More than 2147483647 seconds.
    #[error("more than 2147483647 seconds")]
    TooLarge,
}

impl Ttl {
    /// Zero seconds: not to be cached.
    pub const ZERO: Self = Self(0);

    /// The largest TTL.
    pub const MAX: Self = Self(i32::MAX as u32);

    /// A TTL of `seconds`, if it is one (RFC 2181 section 8).
    pub const fn from_secs(seconds: u32) -> Option<Self> {
        if seconds > Self::MAX.0 { None } else { Some(Self(seconds)) }
    }

    /// A TTL from a wire field: a value with the high bit set counts as zero (RFC 2181 section 8).
    pub const fn from_wire(seconds: u32) -> Self {
        if seconds > Self::MAX.0 { Self(0) } else { Self(seconds) }
    }

    /// Reads seconds (`3600`) or numbers with units (`1h30m`, `1w`), as BIND's zone files and our
    /// configuration write them. Case does not matter.
    pub fn parse(text: &str) -> Result<Self, TtlError> {
        if text.is_empty() || !text.is_ascii() {
            return Err(TtlError::Syntax);
        }
        let mut total: u64 = 0;
        let mut number: Option<u64> = None;
        let mut units = false;
        for byte in text.bytes() {
            if byte.is_ascii_digit() {
                let next = number.unwrap_or(0) * 10 + u64::from(byte - b'0');
                if next > u64::from(Self::MAX.0) {
                    return Err(TtlError::TooLarge);
                }
                number = Some(next);
                continue;
            }
            let factor = match byte.to_ascii_lowercase() {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                b'd' => 86_400,
                b'w' => 604_800,
                _ => return Err(TtlError::Syntax),
            };
            units = true;
            total += number.take().ok_or(TtlError::Syntax)? * factor;
            if total > u64::from(Self::MAX.0) {
                return Err(TtlError::TooLarge);
            }
        }
        match number {
            Some(_) if units => Err(TtlError::Syntax),
            Some(seconds) => Ok(Self(seconds as u32)),
            None => Ok(Self(total as u32)),
        }
    }

    /// The number of seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ttl({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(Ttl::parse("1h30m").unwrap().as_secs(), 5400);
        assert_eq!(Ttl::parse("1W").unwrap().as_secs(), 604_800);
        assert_eq!(Ttl::parse("0").unwrap().as_secs(), 0);
        assert_eq!(Ttl::parse("1h30"), Err(TtlError::Syntax));
        assert_eq!(Ttl::parse("h"), Err(TtlError::Syntax));
        assert_eq!(Ttl::parse("2147483648"), Err(TtlError::TooLarge));
        assert_eq!(Ttl::parse("99999999999999999999w"), Err(TtlError::TooLarge));
    }
}
