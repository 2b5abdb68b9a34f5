use std::ops::Range;

/// A syntax error in an SPF record. The record's author is to blame; reading it again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpfError {
    /// The octets that are wrong, in the text that was read.
    pub span: Range<usize>,
    /// What is wrong, for programs.
    pub kind: SpfErrorKind,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// The kinds of syntax errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpfErrorKind {
    /// No `v=spf1` followed by a blank or the end: no SPF record at all.
    NotSpf,
    /// A tab, a control character or a non-ASCII one.
    BadCharacter,
    /// A blank was lost between two terms, or something else stands in its place.
    LostBlank,
    /// A qualifier, or punctuation, without a name.
    MissingName,
    /// A mechanism that the standard does not know.
    UnknownMechanism,
    /// `:` in a modifier.
    WrongSeparator,
    /// A qualifier before a modifier.
    QualifiedModifier,
    /// An argument that is needed is not there.
    MissingArgument,
    /// An argument where none is allowed.
    UnexpectedArgument,
    /// Not an address of the mechanism's family.
    BadAddress,
    /// A prefix length out of range, or with a leading zero.
    BadPrefix,
    /// Not a domain: no dot, or a bad top label.
    BadDomain,
    /// A `%` that starts no macro.
    BadMacro,
    /// `redirect` or `exp` twice.
    Duplicate,
}

impl SpfError {
    pub(super) fn new(
        span: Range<usize>,
        kind: SpfErrorKind,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { span, kind, message: message.into(), remedy: remedy.into() }
    }
}
