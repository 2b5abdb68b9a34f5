use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long the service asks to wait (RFC 9110 section 10.2.3): seconds, or a date, which is compared with the
/// service's own clock (`Date`) where it tells. `None` if it does not ask, or for a time that is over.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, &RETRY_AFTER)?;
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Duration::from_secs(u32::MAX.into())
        }
        Err(_) => {
            let then = date(text)?;
            let now =
                self::text(headers, &DATE).and_then(date).or_else(|| Timestamp::try_from(SystemTime::now()).ok())?;
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait).filter(|wait| !wait.is_zero())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A date of RFC 9110 section 5.6.7, in the one form that may still be sent.
fn date(text: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn wait(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(retry_after.as_bytes()).ok()?);
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        super::retry_after(&headers)
    }

    #[test]
    fn seconds_and_dates() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait("120", None), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:07 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(wait("0", now), None);
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", now), None);
        assert_eq!(wait("99999999999999999999999", None), Some(Duration::from_secs(u32::MAX.into())));
        assert_eq!(
            wait("Fri, 01 Jan 9999 00:00:00 GMT", now).map(|wait| wait > Duration::from_secs(1 << 33)),
            Some(true)
        );
        for nothing in ["", "soon", "-5", "1.5"] {
            assert_eq!(wait(nothing, now), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_date_without_the_service_s_clock() {
        let then = Timestamp::try_from(SystemTime::now() + Duration::from_secs(3600)).unwrap();
        let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then).unwrap();
        let wait = wait(&text, None).unwrap();
        assert!(wait <= Duration::from_secs(3600) && wait > Duration::from_secs(3000), "{wait:?}");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ -~]*", date in "[ -~]*") {
            let _ = wait(&text, Some(&date));
        }
    }
}
