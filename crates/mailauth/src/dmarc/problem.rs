//! What is wrong with a text that is, or should be, a DMARC record.

use std::fmt;
use std::ops::Range;

use crate::finding::Severity;
use crate::report_uri::UriProblem;
use crate::tag_list::{self, TagList};
use crate::txt;

/// A text that receivers do not select as a DMARC record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDmarc {
    /// Nothing there.
    #[error("empty: a DMARC record begins with `v=DMARC1`")]
    Empty,
    /// `v=DMARC1` stands later in the text.
    #[error("`v=DMARC1` must come first, or receivers ignore the record")]
    VersionNotFirst,
    /// The version is nearly right: case, quotes, a lost semicolon.
    #[error("the version must be exactly `v=DMARC1` and end in `;`, or receivers ignore the record")]
    VersionMisspelt,
    /// Something else.
    #[error("no DMARC record: it must begin with `v=DMARC1;`")]
    Other,
}

/// Something in a DMARC record that a receiver does not read as its author meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in octets of the text.
    pub span: Range<usize>,
    /// What.
    pub kind: ProblemKind,
}

/// What can be wrong inside a DMARC record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A part that is no `tag=value` pair.
    Syntax(tag_list::ProblemKind),
    /// A tag for the second time: the record is void.
    Repeated(String),
    /// `p`, `sp` or `np` with a value that is no policy.
    InvalidPolicy(&'static str, String),
    /// No `p`.
    MissingPolicy,
    /// `p` is not the second tag.
    PolicyNotSecond,
    /// Another tag with a value that is replaced by its default.
    #[expect(missing_docs, reason = "the fields are the words of the message")]
    InvalidValue { tag: String, value: String, default: &'static str },
    /// `rua` or `ruf` without an address.
    NoAddress(&'static str),
    /// An address of `rua` or `ruf` that reports cannot be sent to.
    Address(&'static str, UriProblem),
    /// A size limit, removed in RFC 9989.
    SizeLimit(&'static str),
    /// `pct`, `rf` or `ri`, removed in RFC 9989.
    Historic(String),
    /// A tag that nobody knows.
    UnknownTag(String),
    /// A known tag in upper case.
    UpperCaseTag(String),
    /// `fo` with `0` and `1`.
    FailureOptionsExclude,
    /// `fo` without `ruf`.
    FailureOptionsUnread,
}

impl NotDmarc {
    pub(super) fn of(text: &str, list: &TagList<'_>) -> Self {
        let is_version = |tag: &tag_list::Tag<'_>| tag.name == "v" && tag.value == "DMARC1";
        if text.trim_matches(tag_list::is_white).is_empty() {
            Self::Empty
        } else if list.tags.iter().any(is_version) {
            Self::VersionNotFirst
        } else if txt::is_near(text, "DMARC1") {
            Self::VersionMisspelt
        } else {
            Self::Other
        }
    }
}

impl Problem {
    /// The rule book's identifier.
    pub fn code(&self) -> &'static str {
        use ProblemKind as K;
        match self.kind {
            K::Syntax(_) | K::UnknownTag(_) | K::UpperCaseTag(_) | K::InvalidValue { .. } => "DMARC-20",
            K::Repeated(_) | K::InvalidPolicy(..) => "DMARC-03",
            K::MissingPolicy => "DMARC-04",
            K::PolicyNotSecond => "DMARC-05",
            K::NoAddress(_) | K::Address(..) => "DMARC-08",
            K::SizeLimit(_) | K::Historic(_) => "DMARC-12",
            K::FailureOptionsExclude | K::FailureOptionsUnread => "DMARC-16",
        }
    }

    /// How bad it is: errors keep the policy or the reports from working.
    pub fn severity(&self) -> Severity {
        match (self.code(), &self.kind) {
            // A URI by its syntax: some senders of reports may take it.
            (_, ProblemKind::Address(_, UriProblem::OtherScheme(..))) => Severity::Warning,
            ("DMARC-03" | "DMARC-08", _) => Severity::Error,
            _ => Severity::Warning,
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> &'static str {
        match self.code() {
            "DMARC-03" => "write `none`, `quarantine` or `reject`, each tag once",
            "DMARC-04" => "add `p=none`, `p=quarantine` or `p=reject` after `v=DMARC1`",
            "DMARC-05" => "move `p` to the second place",
            "DMARC-08" => "write `mailto:` addresses with a comma between them",
            "DMARC-12" => "remove it: new receivers ignore it and old ones may act on it",
            "DMARC-16" => "name `ruf` as well, or remove `fo`; use either `0` or `1`",
            _ => "correct the spelling or remove it",
        }
    }

    /// The standard's section.
    pub(super) fn reference(&self) -> &'static str {
        match self.code() {
            "DMARC-12" => "RFC 9989 section 4.7; RFC 7489 section 6.3",
            "DMARC-04" | "DMARC-05" => "RFC 7489 section 6.3",
            _ => "RFC 9989 section 4.7",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(problem) => problem.fmt(f),
            Self::Repeated(tag) => write!(f, "tag `{tag}` stands more than once, which voids the record"),
            Self::InvalidPolicy(tag, value) => {
                write!(f, "`{tag}={value}` is no policy: with it the record protects nothing")
            }
            Self::MissingPolicy => f.write_str("`p` is missing: old receivers drop the record"),
            Self::PolicyNotSecond => f.write_str("`p` is not the second tag: old receivers may drop the record"),
            Self::InvalidValue { tag, value, default } => {
                write!(f, "`{tag}={value}` is not valid: receivers take `{tag}={default}`")
            }
            Self::NoAddress(tag) => write!(f, "`{tag}` has no address"),
            Self::Address(tag, problem) => write!(f, "`{tag}`: {problem}"),
            Self::SizeLimit(tag) => write!(f, "`{tag}` has a size limit (`!`), which RFC 9989 removed"),
            Self::Historic(tag) => write!(f, "`{tag}` was removed in RFC 9989"),
            Self::UnknownTag(tag) => write!(f, "unknown tag `{tag}`: receivers ignore it"),
            Self::UpperCaseTag(tag) => {
                write!(f, "tag `{tag}` is known in lower case only: many receivers ignore it")
            }
            Self::FailureOptionsExclude => f.write_str("`fo` has `0` and `1`, which exclude each other"),
            Self::FailureOptionsUnread => f.write_str("`fo` is read only together with `ruf`"),
        }
    }
}
