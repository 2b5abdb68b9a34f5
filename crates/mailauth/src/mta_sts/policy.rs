//! The policy file of MTA-STS (RFC 8461 section 3.2).

use std::collections::BTreeSet;
use std::fmt;

use data_encoding::HEXLOWER;
use mailzone_record::{Name, NameError};
use sha2::{Digest, Sha256};

use crate::finding::{Finding, Severity};

/// The largest `max_age`, in seconds: about a year.
pub const MAX_AGE: u32 = 31_557_600;

/// A policy: what `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What senders do when a host fails.
    pub mode: Mode,
    /// The hosts that may receive mail; empty only with [`Mode::None`].
    pub mx: Vec<MxPattern>,
    /// How long senders keep the policy, in seconds, at most [`MAX_AGE`].
    pub max_age: u32,
}

/// What senders do with a host that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Nothing: there is no policy any more.
    None,
    /// Deliver and report.
    Testing,
    /// Do not deliver there.
    Enforce,
}

/// An `mx` line: a host name, or `*.` and a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MxPattern {
    name: Name,
    wildcard: bool,
}

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More than senders read.
    #[error("the policy has more than 64 KiB")]
    TooLong,
    /// A line without a colon.
    #[error("line {0}: no `key: value`")]
    NoColon(usize),
    /// `version` is missing or not `STSv1`.
    #[error("the line `version: STSv1` is missing")]
    Version,
    /// No `mode`.
    #[error("the line `mode:` is missing")]
    NoMode,
    /// Another mode.
    #[error("line {line}: the mode `{mode}` is none of `enforce`, `testing`, `none`")]
    Mode {
        /// Counted from 1.
        line: usize,
        /// As written.
        mode: String,
    },
    /// No `max_age`.
    #[error("the line `max_age:` is missing")]
    NoMaxAge,
    /// `max_age` is no number in range.
    #[error("line {0}: `max_age` must be a number of seconds up to 31557600")]
    MaxAge(usize),
    /// An `mx` that is no pattern.
    #[error("line {line}: {error}")]
    Mx {
        /// Counted from 1.
        line: usize,
        /// Why.
        error: MxPatternError,
    },
    /// No `mx` though the mode needs one.
    #[error("mode `{0}` needs at least one `mx` line")]
    NoMx(Mode),
}

/// Why a text is no `mx` pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MxPatternError {
    /// `*` other than as the whole left-most label.
    #[error("`{0}`: `*` may only be the whole left-most label")]
    Wildcard(String),
    /// No name.
    #[error("`{text}` is no host name: {error}")]
    Name {
        /// As written.
        text: String,
        /// Why.
        error: NameError,
    },
}

impl Policy {
    /// Reads a policy file. Unknown keys are ignored, and of a key that may stand once the first counts.
    ///
    /// # Errors
    /// Senders would not take the policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > 65_536 {
            return Err(PolicyError::TooLong);
        }
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for (i, line) in text.lines().enumerate() {
            let number = i + 1;
            if line.trim().is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':').ok_or(PolicyError::NoColon(number))?;
            let value = value.trim();
            match key.trim() {
                "version" => version = version.or(Some(value)),
                "mode" if mode.is_none() => {
                    let error = || PolicyError::Mode { line: number, mode: value.chars().take(40).collect() };
                    mode = Some(Mode::parse(value).ok_or_else(error)?);
                }
                "max_age" if max_age.is_none() => {
                    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                    let seconds = value.parse().ok().filter(|&seconds| digits && seconds <= MAX_AGE);
                    max_age = Some(seconds.ok_or(PolicyError::MaxAge(number))?);
                }
                "mx" => {
                    mx.push(MxPattern::parse(value).map_err(|error| PolicyError::Mx { line: number, error })?);
                }
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(PolicyError::Version);
        }
        let mode = mode.ok_or(PolicyError::NoMode)?;
        let max_age = max_age.ok_or(PolicyError::NoMaxAge)?;
        if mx.is_empty() && mode != Mode::None {
            return Err(PolicyError::NoMx(mode));
        }
        Ok(Self { mode, mx, max_age })
    }

    /// Whether the policy lets this host receive mail.
    pub fn covers(&self, host: &Name) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(host))
    }

    /// Whether both say the same: mode, set of patterns, age (rule book 5).
    pub fn is_same(&self, other: &Self) -> bool {
        let set = |policy: &Self| policy.mx.iter().cloned().collect::<BTreeSet<_>>();
        (self.mode, self.max_age) == (other.mode, other.max_age) && set(self) == set(other)
    }
}

/// The identifier of a policy for the `id` of its record: the first 20 hexadecimal digits of the SHA-256
/// of the policy as printed with its patterns sorted. The same policy always has the same identifier.
pub fn auto_id(policy: &Policy) -> String {
    let mut sorted = policy.clone();
    sorted.mx.sort();
    sorted.mx.dedup();
    let mut id = HEXLOWER.encode(&Sha256::digest(sorted.to_string()));
    id.truncate(20);
    id
}

/// What is wrong with a policy file by the rule book, decided from its text alone: STS-06 and STS-07.
pub fn lint_policy(subject: &str, text: &str) -> Vec<Finding> {
    let (code, severity, message, remedy) = match Policy::parse(text) {
        Err(error) => ("STS-07", Severity::Error, error.to_string(), "correct the policy file"),
        Ok(policy) if policy.mode == Mode::Enforce && policy.max_age < 86_400 => {
            let message = format!("`max_age` of {} seconds: senders forget the policy within a day", policy.max_age);
            ("STS-06", Severity::Warning, message, "use 604800 (a week) or more")
        }
        Ok(_) => return Vec::new(),
    };
    vec![Finding::new(code, severity, subject, message, remedy, "RFC 8461 section 3.2")]
}

impl fmt::Display for Policy {
    /// The file as it is to be served, lines ending in CR LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version: STSv1\r\nmode: {}\r\n", self.mode)?;
        self.mx.iter().try_for_each(|pattern| write!(f, "mx: {pattern}\r\n"))?;
        write!(f, "max_age: {}\r\n", self.max_age)
    }
}

impl Mode {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
        }
    }

    /// Reads the keyword; case-sensitive.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Testing, Self::Enforce].into_iter().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl MxPattern {
    /// Reads `mail.example.com` or `*.example.com`; U-labels become A-labels.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, MxPatternError> {
        let (wildcard, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        if rest.contains('*') {
            return Err(MxPatternError::Wildcard(text.to_owned()));
        }
        let error = |error| MxPatternError::Name { text: text.to_owned(), error };
        let name = Name::parse_idn(rest).map_err(error)?;
        if name.is_root() {
            return Err(error(NameError::Empty));
        }
        Ok(Self { name, wildcard })
    }

    /// Whether a host is meant: case-insensitive, `*` for exactly one label (RFC 8461 section 4.1).
    pub fn matches(&self, host: &Name) -> bool {
        if self.wildcard { host.parent().is_some_and(|parent| parent == self.name) } else { *host == self.name }
    }
}

impl From<Name> for MxPattern {
    /// The pattern of one host.
    fn from(name: Name) -> Self {
        Self { name, wildcard: false }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        write!(f, "{star}{}", self.name.to_lowercase().to_text_without_dot())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::txt::tests::name;

    fn vectors(key: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(super::super::tests::VECTORS).unwrap();
        all[key].as_array().unwrap().clone()
    }

    #[test]
    fn readings_of_others_policies() {
        for vector in vectors("mta_sts_policy") {
            let body = vector["body"].as_str().unwrap();
            match Policy::parse(body) {
                Ok(policy) => {
                    assert_eq!(policy.mode.as_str(), vector["mode"], "{body}");
                    assert_eq!(u64::from(policy.max_age), vector["max_age"].as_u64().unwrap());
                    assert_eq!(policy.mx.iter().map(ToString::to_string).collect::<Value>(), vector["mx"]);
                }
                Err(error) => {
                    let fits = match vector["error"].as_str().unwrap() {
                        "mx missing with mode enforce" => error == PolicyError::NoMx(Mode::Enforce),
                        "max_age above 31557600" => error == PolicyError::MaxAge(4),
                        "wildcard only as the whole left-most label" => {
                            matches!(error, PolicyError::Mx { line: 3, .. })
                        }
                        other => panic!("{body}: {other}"),
                    };
                    assert!(fits, "{body}: {error}");
                }
            }
        }
    }

    #[test]
    fn hosts_that_match() {
        for vector in vectors("mx_match") {
            let pattern = MxPattern::parse(vector["pattern"].as_str().unwrap()).unwrap();
            let host = name(vector["host"].as_str().unwrap());
            assert_eq!(Value::Bool(pattern.matches(&host)), vector["match"], "{pattern} {host}");
        }
    }

    #[test]
    fn identifiers_follow_the_meaning() {
        let policy = |text: &str| Policy::parse(text).unwrap();
        let a = policy("version: STSv1\nmode: enforce\nmx: A.example\nmx: b.example\nmax_age: 604800\n");
        let b = policy(
            "max_age: 604800\r\nmx: b.example\r\nmx: a.example\r\nmx: b.example\r\nmode: enforce\r\nversion: STSv1",
        );
        assert!(a.is_same(&b));
        assert_eq!(auto_id(&a), auto_id(&b));
        assert_eq!(auto_id(&a).len(), 20);
        let c = Policy { max_age: 604_801, ..a.clone() };
        assert!(!a.is_same(&c));
        assert_ne!(auto_id(&a), auto_id(&c));
        insta::assert_snapshot!(auto_id(&a), @"781cee04227b433a6ba1");
        insta::assert_snapshot!(a.to_string().replace("\r\n", "\n"), @"
        version: STSv1
        mode: enforce
        mx: a.example
        mx: b.example
        max_age: 604800
        ");
    }

    #[test]
    fn messages_and_lints() {
        let body = |lines: &str| format!("version: STSv1\n{lines}");
        let shown = [
            String::new(),
            "junk".to_owned(),
            body("max_age: 1"),
            body("mode: on"),
            body("mode: testing"),
            body("mode: testing\nmax_age: -1"),
            body("mode: testing\nmax_age: 1"),
            body("mx: mail..example"),
            body("mx: a*.example"),
        ]
        .map(|text| Policy::parse(&text).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"), @"
        the line `version: STSv1` is missing
        line 1: no `key: value`
        the line `mode:` is missing
        line 2: the mode `on` is none of `enforce`, `testing`, `none`
        the line `max_age:` is missing
        line 3: `max_age` must be a number of seconds up to 31557600
        mode `testing` needs at least one `mx` line
        line 2: `mail..example` is no host name: empty label (two dots in a row, or a dot at the start)
        line 2: `a*.example`: `*` may only be the whole left-most label
        ");
        let codes = |text: &str| lint_policy("x", text).into_iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert_eq!(codes("mode: on"), ["STS-07"]);
        assert_eq!(codes(&body("mode: enforce\nmx: a.example\nmax_age: 86399")), ["STS-06"]);
        assert_eq!(codes(&body("mode: enforce\nmx: a.example\nmax_age: 86400")), [""; 0]);
        assert_eq!(codes(&body("mode: testing\nmx: a.example\nmax_age: 60")), [""; 0]);
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(
            enforce in any::<bool>(),
            mx in prop::collection::vec("(\\*\\.)?[a-z]{1,5}(\\.[a-z]{1,5}){0,2}", 1..5),
            max_age in 0..=MAX_AGE,
        ) {
            let mode = if enforce { Mode::Enforce } else { Mode::Testing };
            let mx = mx.iter().map(|text| MxPattern::parse(text).unwrap()).collect();
            let policy = Policy { mode, mx, max_age };
            prop_assert_eq!(Policy::parse(&policy.to_string()).unwrap(), policy);
        }

        #[test]
        fn any_text_reads(text in any::<String>(), lines in "(mode|mx|max_age|version|x)?:? ?[a-zS*.1:]{0,8}\n?") {
            let _ = Policy::parse(&text);
            let _ = lint_policy("x", &lines);
        }
    }
}
