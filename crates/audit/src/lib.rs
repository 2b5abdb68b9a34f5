//! What a receiver makes of a domain: the rules that need more than one record. Pure functions.
//!
//! [`audit`] judges one domain ([`Subject`]) by what is known ([`Facts`]): DNS answers, and what servers
//! showed when they were connected to. What is not known yet it names ([`Wish`]); who has the network fulfils
//! the wishes and runs the audit again, until no wish is open or the time is over. So the same rules judge the
//! live zone, the zone as a plan would leave it, and a configuration without any network.
//!
//! A rule is a function in [`rules`](crate) for its area; its code, meaning and remedy stand in
//! [`mailzone_mailauth::rules`].

mod checklist;
mod common_factor;
mod facts;
mod inquiry;
mod project;
mod report;
mod rules;
mod scores;
mod simulate;
mod subject;

use mailzone_mailauth::lookup::Lookup;

pub use checklist::{CheckItem, CheckState, DEMANDS, Demand, checklist};
pub use facts::{
    Certificate, DelegationSigner, Document, Facts, Failure, NameServer, PolicyAnswer, Security, ServerState,
    SmtpSession, Validation, ZoneServers,
};
pub use inquiry::{Inquiry, Wish};
pub use project::{PublishedKey, keys_of_all, published_keys};
pub use report::{Area, Audit, Measured, Note, Open, unchecked};
pub use rules::changes;
pub use scores::{Measure, Part, ScoreArea, Scores, WEIGHTS, Weight, scores};
pub use simulate::{Sample, SignatureOutcome, Simulation, key_state, simulate, simulate_sender};
pub use subject::{Scope, Selector, SelectorSource, Sender, SendingHost, Subject};

/// Judges `subject` by `facts`. The same input gives the same result, in the same order.
pub fn audit(subject: &Subject, facts: &Facts, dns: &dyn Lookup) -> Audit {
    let mut inquiry = Inquiry::new(subject, facts, dns);
    for (area, rule) in rules::RULES {
        inquiry.enter(*area);
        rule(&mut inquiry);
    }
    inquiry.finish()
}
