//! Writing: deletion of the exact old sets and creation of the new ones in one atomic request.
//!
//! The service compares each deletion with what it holds and refuses a creation where a set exists, so it is the write
//! that notices others, and nothing is read before it. What it refuses is judged by reading the zone once more.

use std::sync::PoisonError;
use std::time::Duration;

use aws_sdk_route53::types::ChangeStatus;
use mailzone_provider::{
    Batch, Freshness, Outcome, ProviderError, ProviderErrorKind, RRsetChange, Receipt, Retry, Snapshot, Zone,
};
use tokio::time::Instant;

use crate::Route53Provider;
use crate::changes::{self, Swap};
use crate::client::Effect;
use crate::failure::{Class, Failure};

/// How often a batch is sent: again after a lost answer, without what is there already, or with texts as they are
/// stored. Each time the zone is read in between.
const SENDS: u32 = 4;

const MOVING: &str = "the sets change while they are being written";

/// What is known while a batch is being written.
struct Progress {
    /// How each set relates to its change, as far as we know.
    freshness: Vec<Freshness>,
    /// Which changes a request of ours was answered with success for.
    written: Vec<bool>,
    /// Which changes were in a request whose answer was lost.
    unsure: Vec<bool>,
    /// The changes of the request whose answer was lost last.
    lost: Vec<usize>,
}

/// How a pass over the requests of a batch ended.
enum Pass {
    /// All were confirmed.
    Done,
    /// One failed; those before it are written.
    Stopped(Failure),
}

impl Route53Provider {
    /// Writes the batch, reads the zone back, and says what became of each change.
    pub(crate) async fn write(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let operation = format!("changing {} ({})", zone.name, zone.id);
        let changes = &batch.changes;
        if let Some(refusal) = changes.iter().flat_map(|change| self.refusals(change)).next() {
            return Err(ProviderError::new(operation, ProviderErrorKind::Refused(refusal.message), refusal.remedy));
        }
        let mut progress = Progress::new(changes);
        let mut live: Option<Snapshot> = None;
        if changes.iter().any(lacks_ttl) {
            live = Some(self.judge(zone, batch, &mut progress).await?);
        }
        let mut sends = 0;
        loop {
            if progress.freshness.contains(&Freshness::Stale) {
                return Ok(progress.stopped(None));
            }
            let requests = self.requests(&operation, changes, &progress, live.as_ref())?;
            if requests.is_empty() {
                return Ok(progress.stopped(None));
            }
            if requests.len() > 1 && live.is_none() {
                // Several requests are not all or nothing; so that nothing is written where a set is not as planned,
                // all of them are looked at before.
                live = Some(self.judge(zone, batch, &mut progress).await?);
                continue;
            }
            if sends >= SENDS {
                if progress.touched() {
                    return Ok(progress.stopped(Some(MOVING)));
                }
                return Err(conflict(operation));
            }
            sends += 1;
            let failure = match self.send(zone, &requests, &mut progress).await {
                Pass::Done => {
                    return Ok(match self.read_again(zone).await {
                        Ok(live) => Receipt::confirmed(batch, &progress.sent_as(), &live),
                        Err(error) => Receipt::not_read_back(&progress.sent_as(), &error),
                    });
                }
                Pass::Stopped(failure) => failure,
            };
            let sent = requests;
            if failure.class != Class::Batch && !failure.may_be_done() && !progress.touched() {
                return Err(failure.into_error(operation, "route53:ChangeResourceRecordSets", ""));
            }
            tracing::debug!(zone = %zone.name, class = ?failure.class, "reading the zone after a failed write");
            live = match self.judge(zone, batch, &mut progress).await {
                Ok(snapshot) => Some(snapshot),
                Err(error) if !progress.touched() => return Err(error),
                Err(error) => return Err(unknown(operation, &failure, &error)),
            };
            let final_refusal = match failure.class {
                // The same texts again would be refused again.
                Class::Batch => self.requests(&operation, changes, &progress, live.as_ref())? == sent,
                _ if failure.may_be_done() => sends >= SENDS,
                _ => true,
            };
            if final_refusal && !progress.freshness.contains(&Freshness::Stale) && progress.is_pending() {
                if !progress.touched() && failure.class == Class::Batch {
                    return Err(failure.into_error(operation, "route53:ChangeResourceRecordSets", ""));
                }
                return Ok(progress.stopped(Some(&failure.message)));
            }
            if failure.may_be_done() {
                tokio::time::sleep(self.service.backoff().delay(sends)).await;
            }
        }
    }

    /// Reads the zone and compares.
    async fn judge(&self, zone: &Zone, batch: &Batch, progress: &mut Progress) -> Result<Snapshot, ProviderError> {
        let live = self.read_again(zone).await?;
        progress.freshness = batch.compare(&live);
        progress.clear_up();
        Ok(live)
    }

    /// The requests for what is to be written.
    fn requests(
        &self,
        operation: &str,
        changes: &[RRsetChange],
        progress: &Progress,
        live: Option<&Snapshot>,
    ) -> Result<Vec<Vec<Swap>>, ProviderError> {
        let mut swaps = Vec::with_capacity(changes.len());
        for (at, (change, freshness)) in changes.iter().zip(&progress.freshness).enumerate() {
            if *freshness != Freshness::AsPlanned {
                continue;
            }
            let live = live.and_then(|live| live.get(change.name(), change.rtype()));
            let swap = Swap::new(at, change, live).ok_or_else(|| {
                let message = format!("{} {} has a value that Route 53 has no text for", change.name(), change.rtype());
                ProviderError::new(
                    operation,
                    ProviderErrorKind::Refused(message),
                    "take the slot out of the configuration",
                )
            })?;
            swaps.push(swap);
        }
        changes::requests(swaps).map_err(|name| {
            let message = format!(
                "the changes at {name} are more than one request holds ({} values, {} characters)",
                changes::MAX_ELEMENTS,
                changes::MAX_CHARACTERS
            );
            ProviderError::new(
                operation,
                ProviderErrorKind::Refused(message),
                "nothing was sent; use fewer values there",
            )
        })
    }

    /// Sends one request after the other, up to the first that fails.
    async fn send(&self, zone: &Zone, requests: &[Vec<Swap>], progress: &mut Progress) -> Pass {
        for swaps in requests {
            let batch = match changes::batch(swaps) {
                Ok(batch) => batch,
                Err(error) => return Pass::Stopped(Failure::new(Class::Refused, error.to_string())),
            };
            let request = |client: aws_sdk_route53::Client| {
                let call = client.change_resource_record_sets().hosted_zone_id(zone.id.as_str());
                call.change_batch(batch.clone()).send()
            };
            match self.service.call(Effect::Write, request).await {
                Ok(answer) => {
                    progress.mark(swaps, |progress, at| progress.written.get_mut(at));
                    if let Some(info) = answer.change_info().filter(|info| *info.status() != ChangeStatus::Insync) {
                        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                        pending.entry(zone.id.clone()).or_default().push(info.id().to_owned());
                    }
                }
                Err(failure) => {
                    if failure.may_be_done() {
                        progress.mark(swaps, |progress, at| progress.unsure.get_mut(at));
                        progress.lost = swaps.iter().map(|swap| swap.at).collect();
                    }
                    return Pass::Stopped(failure);
                }
            }
        }
        Pass::Done
    }

    /// Waits until the service says that its servers have what was written, or the time for it is over. That it was
    /// accepted is known before; so no end of this makes the write a failed one, and whether it is served is
    /// asked of the servers themselves afterwards.
    pub(crate) async fn wait(&self, zone: &Zone) {
        let ids = self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&zone.id).unwrap_or_default();
        let polling = self.polling;
        let deadline = Instant::now() + polling.patience;
        let mut wait = polling.first;
        for id in ids {
            loop {
                if Instant::now() + wait > deadline {
                    tracing::warn!(zone = %zone.name, change = %id, "accepted, not confirmed as served everywhere (INSYNC) in time");
                    return;
                }
                tokio::time::sleep(wait).await;
                let request = |client: aws_sdk_route53::Client| client.get_change().id(id.as_str()).send();
                match self.service.call(Effect::Read, request).await {
                    Ok(answer) if answer.change_info().is_some_and(|info| *info.status() == ChangeStatus::Insync) => {
                        tracing::debug!(zone = %zone.name, change = %id, "in sync");
                        break;
                    }
                    Ok(_) => wait = longer(wait).min(polling.max),
                    Err(failure) => {
                        let error = failure.into_error("asking for the change's status", "route53:GetChange", "");
                        tracing::warn!(zone = %zone.name, change = %id, %error, remedy = %error.remedy, "accepted, not confirmed");
                        return;
                    }
                }
            }
        }
    }
}

impl Progress {
    /// Everything as planned, except what changes nothing.
    fn new(changes: &[RRsetChange]) -> Self {
        let count = changes.len();
        let freshness = changes.iter().map(|change| change.compare(change.before())).collect();
        Self { freshness, written: vec![false; count], unsure: vec![false; count], lost: Vec::new() }
    }

    fn mark(&mut self, swaps: &[Swap], mut flag: impl FnMut(&mut Self, usize) -> Option<&mut bool>) {
        for swap in swaps {
            if let Some(flag) = flag(self, swap.at) {
                *flag = true;
            }
        }
    }

    /// A request is carried out as a whole or not at all: one change of the lost one that is as before tells that
    /// none of it was.
    fn clear_up(&mut self) {
        if self.lost.iter().any(|&at| self.freshness.get(at) == Some(&Freshness::AsPlanned)) {
            for at in std::mem::take(&mut self.lost) {
                if let Some(unsure) = self.unsure.get_mut(at) {
                    *unsure = false;
                }
            }
        }
    }

    /// Whether anything was or may have been written.
    fn touched(&self) -> bool {
        self.written.contains(&true) || self.unsure.contains(&true)
    }

    fn is_pending(&self) -> bool {
        self.freshness.contains(&Freshness::AsPlanned)
    }

    /// How the sets were before our first write: what we have written was as planned.
    fn sent_as(&self) -> Vec<Freshness> {
        let was = |(at, freshness): (usize, &Freshness)| match self.touched_at(at) {
            true => Freshness::AsPlanned,
            false => *freshness,
        };
        self.freshness.iter().enumerate().map(was).collect()
    }

    fn touched_at(&self, at: usize) -> bool {
        self.written.get(at) == Some(&true) || self.unsure.get(at) == Some(&true)
    }

    /// The results by the last reading, where not everything went out. `why` is what stopped it, if it was
    /// no set that is not as planned.
    fn stopped(&self, why: Option<&str>) -> Receipt {
        let stale = self.freshness.contains(&Freshness::Stale);
        Receipt::new(self.freshness.iter().enumerate().map(|(at, freshness)| {
            let (written, unsure) = (self.written.get(at) == Some(&true), self.unsure.get(at) == Some(&true));
            match freshness {
                Freshness::Already if written => (Outcome::Applied, None),
                Freshness::Already if unsure => (Outcome::Applied, Some("the answer was lost; it is written".into())),
                Freshness::Already => (Outcome::Already, None),
                Freshness::Stale if written => {
                    (Outcome::Unknown, Some("the service confirmed the change; somebody changed the set since".into()))
                }
                Freshness::Stale if unsure => (
                    Outcome::Unknown,
                    Some("the answer was lost; the set is neither as it was nor as it shall be".into()),
                ),
                Freshness::Stale => (Outcome::Stale, None),
                Freshness::AsPlanned => match why {
                    Some(why) => (Outcome::Failed, Some(format!("{why}; it is not written"))),
                    None if stale => (Outcome::Skipped, None),
                    None => (Outcome::Failed, Some("it is not written".into())),
                },
            }
        }))
    }
}

/// Whether the old set has to be read for its deletion.
fn lacks_ttl(change: &RRsetChange) -> bool {
    change.before().is_some_and(|set| set.ttl.is_none())
}

fn longer(wait: Duration) -> Duration {
    wait.saturating_mul(3) / 2
}

/// The zone is as planned whenever we look, and is not when the service does.
fn conflict(operation: String) -> ProviderError {
    let kind = ProviderErrorKind::Conflict(MOVING.into());
    ProviderError { retry: Retry::Later, ..ProviderError::new(operation, kind, "plan again") }
}

fn unknown(operation: String, failure: &Failure, error: &ProviderError) -> ProviderError {
    let text = format!("{}; the zone could not be read afterwards: {error}", failure.message);
    let kind = ProviderErrorKind::Unreachable(text);
    let remedy = "plan again, which shows what was written";
    ProviderError { retry: Retry::Unknown, ..ProviderError::new(operation, kind, remedy) }
}
