//! Exit codes (`design.md` section 7).

/// What a command ends with. Several at once: the first of 1, 5, 4, 3, 2, 0; an interruption before all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Done, nothing to do, or differences that were only asked to be shown.
    Done = 0,
    /// Usage, configuration, credentials, API; a zone that was refused, could not be read or was only partly
    /// written; an answer "no"; no terminal and no `--yes`.
    Error = 1,
    /// There are differences (`plan --detailed-exitcode`).
    Differences = 2,
    /// Applied, but something is not visible in time, or held.
    NotVisible = 3,
    /// Something failed a check: an error finding, a guard that stopped a zone, a latency budget.
    Check = 4,
    /// The plan is stale, somebody else changed the zone, or another run holds its lock.
    Stale = 5,
    /// Interrupted: the request in flight is finished, the journal written, the state told.
    Interrupted = 130,
}

impl Code {
    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The one code of several.
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        codes.into_iter().max_by_key(|code| code.rank()).unwrap_or(Self::Done)
    }

    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differences => 1,
            Self::NotVisible => 2,
            Self::Check => 3,
            Self::Stale => 4,
            Self::Error => 5,
            Self::Interrupted => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence() {
        use Code::{Check, Differences, Done, Error, Interrupted, NotVisible, Stale};
        let order = [Interrupted, Error, Stale, Check, NotVisible, Differences, Done];
        for (at, first) in order.iter().enumerate() {
            assert_eq!(Code::worst(order[at..].iter().copied()), *first);
        }
        assert_eq!(Code::worst([]), Done);
    }
}
