//! What large receivers ask of those who send to them (rule book 16), as a list to tick off.

use mailzone_mailauth::MailUse;
use serde::Serialize;

use crate::{Audit, Measure, Subject};

/// A receiver's demand, and what meets it.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Who demands it.
    pub receiver: &'static str,
    /// What, in a few words.
    pub demand: &'static str,
    /// Whether it is asked of bulk senders alone (about 5000 messages a day).
    pub bulk: bool,
    /// What has to be measured, and how much of it at least. All are needed; empty: it cannot be seen from outside.
    pub needs: &'static [(Measure, u8)],
    /// Why it cannot be seen from outside; else empty.
    pub unseen: &'static str,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckItem {
    /// Who demands it.
    pub receiver: &'static str,
    /// What.
    pub demand: &'static str,
    /// Whether it is asked of bulk senders alone.
    pub bulk: bool,
    /// How the domain stands to it.
    pub state: CheckState,
    /// What was seen, or why nothing was.
    pub why: String,
}

/// How a domain stands to a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CheckState {
    Met,
    NotMet,
    Unknown,
}

const SPAM: &str = "the receiver alone knows how many recipients complain; Google shows it in Postmaster Tools";
const UNSUBSCRIBE: &str = "a matter of the messages: `List-Unsubscribe` and `List-Unsubscribe-Post`, signed by DKIM";
const SENT_TLS: &str = "whether the sending hosts use TLS is seen by receivers alone";

const SPF_AND_DKIM: &[(Measure, u8)] = &[(Measure::Spf, 1), (Measure::Dkim, 1)];
const DMARC: &[(Measure, u8)] = &[(Measure::Dmarc, 1)];
const ALIGNED: &[(Measure, u8)] = &[(Measure::Aligned, 100)];
const FCRDNS: &[(Measure, u8)] = &[(Measure::Fcrdns, 100)];
const EITHER: &[(Measure, u8)] = &[(Measure::SpfOrDkim, 100)];
const BITS_1024: &[(Measure, u8)] = &[(Measure::DkimSize, 50)];
const BITS_2048: &[(Measure, u8)] = &[(Measure::DkimSize, 100)];
const REPLIES: &[(Measure, u8)] = &[(Measure::TakesMail, 100)];

/// Every demand, as of November 2026. A new one is one line.
pub const DEMANDS: &[Demand] = &[
    seen("Google", "SPF or DKIM", false, EITHER),
    seen("Google", "confirmed reverse names of the sending addresses", false, FCRDNS),
    unseen("Google", "TLS for the transport", false, SENT_TLS),
    unseen("Google", "spam complaints under 0.3 %", false, SPAM),
    seen("Google", "SPF and DKIM", true, SPF_AND_DKIM),
    seen("Google", "DMARC, at least p=none", true, DMARC),
    seen("Google", "the domain in From aligned with SPF or DKIM", true, ALIGNED),
    seen("Google", "DKIM keys of 1024 bits at least", true, BITS_1024),
    seen("Google", "DKIM keys of 2048 bits (advised)", true, BITS_2048),
    unseen("Google", "unsubscribing by one click in marketing mail", true, UNSUBSCRIBE),
    seen("Yahoo", "SPF or DKIM", false, EITHER),
    seen("Yahoo", "confirmed reverse names of the sending addresses", false, FCRDNS),
    unseen("Yahoo", "spam complaints under 0.3 %", false, SPAM),
    seen("Yahoo", "SPF and DKIM", true, SPF_AND_DKIM),
    seen("Yahoo", "DMARC, at least p=none", true, DMARC),
    seen("Yahoo", "the domain in From aligned with SPF or DKIM", true, ALIGNED),
    seen("Yahoo", "DKIM keys of 1024 bits at least", true, BITS_1024),
    unseen("Yahoo", "unsubscribing by one click", true, UNSUBSCRIBE),
    seen("Microsoft", "SPF and DKIM pass", true, SPF_AND_DKIM),
    seen("Microsoft", "DMARC, at least p=none", true, DMARC),
    seen("Microsoft", "the domain in From aligned with SPF or DKIM", true, ALIGNED),
    seen("Microsoft", "a From domain that takes replies", true, REPLIES),
    unseen("Microsoft", "unsubscribing by one click (advised)", true, UNSUBSCRIBE),
];

/// The list for a domain; empty for one that sends no mail. What is not known is said to be so.
pub fn checklist(audit: &Audit, subject: &Subject) -> Vec<CheckItem> {
    if matches!(subject.mail, Some(MailUse::None | MailUse::Receive)) {
        return Vec::new();
    }
    let item = |demand: &Demand| {
        let (state, why) = state(audit, demand);
        CheckItem { receiver: demand.receiver, demand: demand.demand, bulk: demand.bulk, state, why }
    };
    DEMANDS.iter().map(item).collect()
}

fn state(audit: &Audit, demand: &Demand) -> (CheckState, String) {
    if demand.needs.is_empty() {
        return (CheckState::Unknown, demand.unseen.to_owned());
    }
    let seen: Vec<_> = demand.needs.iter().map(|(need, least)| (audit.measures.get(need), *least)).collect();
    let missed = seen.iter().find_map(|(seen, least)| seen.filter(|seen| seen.share < *least));
    if let Some(missed) = missed {
        return (CheckState::NotMet, missed.why.clone());
    }
    let whys: Vec<&str> = seen.iter().filter_map(|(seen, _)| seen.map(|seen| seen.why.as_str())).collect();
    match whys.len() == seen.len() {
        true => (CheckState::Met, whys.join("; ")),
        false => (CheckState::Unknown, "not known".to_owned()),
    }
}

const fn seen(receiver: &'static str, demand: &'static str, bulk: bool, needs: &'static [(Measure, u8)]) -> Demand {
    Demand { receiver, demand, bulk, needs, unseen: "" }
}

const fn unseen(receiver: &'static str, demand: &'static str, bulk: bool, why: &'static str) -> Demand {
    Demand { receiver, demand, bulk, needs: &[], unseen: why }
}

#[cfg(test)]
mod tests {
    use mailzone_record::Name;

    use super::*;
    use crate::{Measured, Scope};

    fn of(measures: &[(Measure, u8)], demand: &str) -> CheckState {
        let measures = measures.iter().map(|(m, share)| (*m, Measured { share: *share, why: "seen".to_owned() }));
        let audit = Audit { measures: measures.collect(), ..Audit::default() };
        let subject = Subject::new(Name::parse("example.com").unwrap(), Scope::ALL);
        let list = checklist(&audit, &subject);
        list.into_iter().find(|item| item.demand == demand).unwrap().state
    }

    #[test]
    fn met_not_met_unknown() {
        assert_eq!(of(&[(Measure::Spf, 90), (Measure::Dkim, 60)], "SPF and DKIM"), CheckState::Met);
        assert_eq!(of(&[(Measure::Spf, 90), (Measure::Dkim, 0)], "SPF and DKIM"), CheckState::NotMet);
        assert_eq!(of(&[(Measure::Dkim, 0)], "SPF and DKIM"), CheckState::NotMet);
        assert_eq!(of(&[(Measure::Spf, 90)], "SPF and DKIM"), CheckState::Unknown);
        assert_eq!(of(&[(Measure::DkimSize, 50)], "DKIM keys of 1024 bits at least"), CheckState::Met);
        assert_eq!(of(&[(Measure::DkimSize, 50)], "DKIM keys of 2048 bits (advised)"), CheckState::NotMet);
        assert_eq!(of(&[], "spam complaints under 0.3 %"), CheckState::Unknown);
    }

    #[test]
    fn every_demand_is_seen_or_says_why_not() {
        assert!(DEMANDS.iter().all(|demand| demand.needs.is_empty() != demand.unseen.is_empty()));
    }

    #[test]
    fn a_domain_that_sends_nothing_has_no_list() {
        let mut subject = Subject::new(Name::parse("example.com").unwrap(), Scope::ALL);
        subject.mail = Some(MailUse::None);
        assert!(checklist(&Audit::default(), &subject).is_empty());
    }
}
