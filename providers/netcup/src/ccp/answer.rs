//! The envelope of the CCP API. The HTTP status is always 200; `statuscode` decides, texts are hints in two languages.

use mailzone_http::Reply;
use mailzone_provider::{ProviderError, ProviderErrorKind};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::text::said;

/// What every answer consists of. `responsedata` is `""` on errors and at logout.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    status: String,
    #[serde(deserialize_with = "number")]
    pub(crate) statuscode: u32,
    #[serde(default)]
    shortmessage: String,
    #[serde(default)]
    longmessage: String,
    #[serde(default)]
    pub(crate) responsedata: Value,
}

/// The session is invalid or has expired.
pub(crate) const SESSION: u32 = 4001;
/// A value is refused; also the rate limit and the lock-out.
pub(crate) const VALIDATION: u32 = 4013;
/// `infoDnsRecords`: no such domain, or no records.
pub(crate) const NO_RECORDS: u32 = 5029;
/// Codes for a zone that the account does not have on this back end.
const NO_ZONE: [u32; 3] = [5028, NO_RECORDS, 5031];
/// Wrong key, password, customer number; the numbers are not documented.
const CREDENTIALS: [u32; 2] = [4002, 4011];

impl Answer {
    /// Reads an answer.
    pub(crate) fn read(reply: &Reply) -> Result<Self, ProviderError> {
        reply.json()
    }

    /// Whether the call was carried out.
    pub(crate) fn is_success(&self) -> bool {
        self.status == "success" && self.statuscode == 2000
    }

    /// Too many of the account's calls failed; netcup answers nothing else any more.
    pub(crate) fn is_lock_out(&self) -> bool {
        self.statuscode == VALIDATION && contains(&self.text(), &["too many error", "zu viele fehler"])
    }

    /// Too many calls a minute.
    fn is_rate(&self) -> bool {
        let texts = ["180 requests", "requests per minute", "anfragen pro minute"];
        self.statuscode == VALIDATION && contains(&self.text(), &texts)
    }

    /// What the service says, with its number.
    pub(crate) fn text(&self) -> String {
        let text = if self.longmessage.trim().is_empty() { &self.shortmessage } else { &self.longmessage };
        format!("\"{}\" ({})", said(text), self.statuscode)
    }

    /// The kind of failure, and what can be done.
    pub(crate) fn failure(&self) -> (ProviderErrorKind, &'static str) {
        let text = self.text();
        match self.statuscode {
            code if NO_ZONE.contains(&code) => {
                (ProviderErrorKind::NoZone(format!("netcup's CCP holds no such zone: {text}")), "check the domain")
            }
            code if CREDENTIALS.contains(&code) => (
                ProviderErrorKind::Credentials(format!("netcup refuses the credentials: {text}")),
                "check customer_number, api_key and api_password",
            ),
            _ if contains(&text, &["json decode failed"]) => (
                ProviderErrorKind::Protocol(format!("netcup could not read the request: {text}")),
                "report this; nothing was changed",
            ),
            _ => (
                ProviderErrorKind::Refused(format!("netcup refuses it: {text}")),
                "change what netcup names, or take it out of the configuration",
            ),
        }
    }
}

/// Whether an answer of status 200 is the rate limit's.
pub(crate) fn is_throttled(reply: &Reply) -> bool {
    serde_json::from_str::<Answer>(&reply.text()).is_ok_and(|answer| answer.is_rate())
}

fn contains(text: &str, parts: &[&str]) -> bool {
    let text = text.to_lowercase();
    parts.iter().any(|part| text.contains(part))
}

/// A number, also where it comes as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number.ok_or_else(|| serde::de::Error::custom("statuscode is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, long: &str) -> Answer {
        let text = format!(r#"{{"status":"error","statuscode":{code},"longmessage":"{long}","responsedata":""}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_meanings_of_4013_are_told_apart() {
        let lock = answer("4013", "Too many error messages, please check your commands");
        assert!(lock.is_lock_out() && !lock.is_rate());
        let rate = answer("\"4013\"", "More than 180 requests per minute are not allowed.");
        assert!(rate.is_rate() && !rate.is_lock_out());
        let host = answer("4013", "der Host darf nicht leer sein oder aus Sonderzeichen bestehen");
        assert!(!host.is_rate() && !host.is_lock_out());
        assert!(matches!(host.failure().0, ProviderErrorKind::Refused(_)));
    }

    #[test]
    fn codes_become_kinds() {
        for code in ["5028", "5029", "5031"] {
            assert!(matches!(answer(code, "").failure().0, ProviderErrorKind::NoZone(_)), "{code}");
        }
        assert!(matches!(answer("4002", "").failure().0, ProviderErrorKind::Credentials(_)));
        let garbled = answer("4011", "Api key missing. JSON decode failed");
        assert!(matches!(garbled.failure().0, ProviderErrorKind::Credentials(_)));
        let garbled = answer("4000", "Api key missing. JSON decode failed");
        assert!(matches!(garbled.failure().0, ProviderErrorKind::Protocol(_)));
    }
}
