/// What a domain is for: decides which guards and rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailUse {
    /// Sends and receives.
    #[default]
    Both,
    /// Only sends.
    Send,
    /// Only receives.
    Receive,
    /// Neither.
    None,
}

impl MailUse {
    /// Whether mail to the domain is accepted.
    pub fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receive)
    }

    /// Whether the domain sends mail.
    pub fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Send)
    }
}
