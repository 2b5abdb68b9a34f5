use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use mailzone_audit::{Document, Facts, Failure, PolicyAnswer, SmtpSession, Validation, Wish, ZoneServers};
use mailzone_mailauth::lookup::{Answer, Answers, Question};
use mailzone_probe::{Ask, Polite, Wire};
use mailzone_record::Name;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::cache::Once;
use crate::fetch::Fetcher;
use crate::{Dns, Trust, servers, smtp, validation};

/// Connections to mail and web servers that there are at one time; further ones wait for their turn.
pub const CONNECTIONS: usize = 48;

/// Sessions that there are with one address at one time: many mail servers refuse clients that come with more.
pub const PER_MAIL_SERVER: usize = 3;

/// Who has the network. A clone shares everything: answers, sessions, limits. Make one for a run: what is not a DNS
/// answer is kept for as long as this lives.
#[derive(Debug, Clone)]
pub struct Observer<A = Polite<Wire>> {
    inner: Arc<Inner<A>>,
}

/// How to connect to others.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The time to judge certificates at, seconds since 1970; it becomes [`Facts::now`].
    pub now: i64,
    /// What is said in EHLO: a name of this machine.
    pub helo: Name,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// The port of mail servers: 25.
    pub smtp_port: u16,
    /// The port of web servers: 443.
    pub https_port: u16,
}

#[derive(Debug)]
struct Inner<A> {
    dns: Dns<A>,
    settings: Settings,
    turns: Semaphore,
    mail_servers: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    smtp: Once<(Name, IpAddr), Result<SmtpSession, Failure>>,
    servers: Once<Name, Result<ZoneServers, Failure>>,
    validation: Once<Name, Result<Validation, Failure>>,
}

/// What was found out so far.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// All but DNS answers.
    pub facts: Facts,
    /// DNS answers.
    pub answers: Answers,
}

/// A wish fulfilled.
pub(crate) enum Got {
    Dns(Question, Answer),
    Policy(Name, Result<PolicyAnswer, Failure>),
    Smtp(Name, IpAddr, Result<SmtpSession, Failure>),
    Servers(Name, Result<ZoneServers, Failure>),
    Validation(Name, Result<Validation, Failure>),
    Document(String, Result<Document, Failure>),
}

impl Settings {
    /// The ordinary ports, and the usual authorities.
    pub fn new(now: i64, helo: Name, trust: Trust) -> Self {
        Self { now, helo, trust, smtp_port: 25, https_port: 443 }
    }
}

impl<A: Ask> Observer<A> {
    /// Looks through `dns` and by `settings`.
    pub fn new(dns: Dns<A>, settings: Settings) -> Self {
        let inner = Inner {
            dns,
            settings,
            turns: Semaphore::new(CONNECTIONS),
            mail_servers: Mutex::default(),
            smtp: Once::default(),
            servers: Once::default(),
            validation: Once::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The DNS that it asks.
    pub fn dns(&self) -> &Dns<A> {
        &self.inner.dns
    }

    /// Nothing known yet, at the time of the settings.
    pub fn known(&self) -> Known {
        Known { facts: Facts { now: self.inner.settings.now, ..Facts::default() }, answers: Answers::default() }
    }

    /// Fulfils the wishes, all at a time, and puts what comes until `deadline` into `known`. A failure is an answer
    /// as well; an answer that is not there for want of anybody to ask stays out.
    pub async fn fulfil(&self, wishes: impl IntoIterator<Item = Wish>, known: &mut Known, deadline: Instant) {
        let mut running = JoinSet::new();
        for wish in wishes {
            running.spawn(self.clone().fulfil_one(wish));
        }
        // A task that panicked leaves its wish open.
        while let Ok(Some(done)) = timeout_at(deadline, running.join_next()).await {
            if let Ok(got) = done {
                known.take_in(got);
            }
        }
    }

    /// Thousands of questions can be under way, and few looks: these are boxed, for a task is as large as the largest of
    /// its parts.
    pub(crate) async fn fulfil_one(self, wish: Wish) -> Got {
        let inner = &*self.inner;
        match wish {
            Wish::Dns(question) => {
                let answer = inner.dns.ask(&question).await;
                Got::Dns(question, answer)
            }
            Wish::Policy(domain) => {
                // The semaphore is never closed, so there is always a permit.
                let _turn = inner.turns.acquire().await;
                let fetcher = inner.fetcher();
                let got = Box::pin(fetcher.policy(&domain)).await;
                Got::Policy(domain, got)
            }
            Wish::Document(url) => {
                let _turn = inner.turns.acquire().await;
                let fetcher = inner.fetcher();
                let got = Box::pin(fetcher.document(&url)).await;
                Got::Document(url, got)
            }
            Wish::Smtp(host, address) => {
                let session = Box::pin(inner.smtp(&host, address));
                let got = inner.smtp.get((host.clone(), address), session).await;
                Got::Smtp(host, address, got)
            }
            Wish::Servers(domain) => {
                let servers = Box::pin(servers::servers(&inner.dns, &domain));
                let got = inner.servers.get(domain.clone(), servers).await;
                Got::Servers(domain, got)
            }
            Wish::Validation(name) => {
                let now = inner.settings.now;
                let validation = Box::pin(validation::validation(&inner.dns, &name, now));
                let got = inner.validation.get(name.clone(), validation).await;
                Got::Validation(name, got)
            }
        }
    }
}

impl<A: Ask> Inner<A> {
    fn fetcher(&self) -> Fetcher<'_, A> {
        let Settings { trust, https_port, now, .. } = &self.settings;
        Fetcher { dns: &self.dns, trust, port: *https_port, now: *now }
    }

    async fn smtp(&self, host: &Name, address: IpAddr) -> Result<SmtpSession, Failure> {
        let gate = {
            let mut gates = self.mail_servers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(address).or_insert_with(|| Arc::new(Semaphore::new(PER_MAIL_SERVER))))
        };
        // The server's turn first: sessions that queue for a slow server take no one else's turn.
        let _its_turn = gate.acquire().await;
        let _turn = self.turns.acquire().await;
        let Settings { trust, helo, smtp_port, now, .. } = &self.settings;
        smtp::session(trust, host, SocketAddr::new(address, *smtp_port), helo, *now).await
    }
}

impl Known {
    pub(crate) fn take_in(&mut self, got: Got) {
        let facts = &mut self.facts;
        match got {
            Got::Dns(question, answer) => self.answers.insert(question.name, question.rtype, answer),
            Got::Policy(domain, got) => drop(facts.policies.insert(domain, got)),
            Got::Smtp(host, address, got) => drop(facts.smtp.insert((host, address), got)),
            Got::Servers(domain, got) => drop(facts.servers.insert(domain, got)),
            Got::Validation(name, got) => drop(facts.validation.insert(name, got)),
            Got::Document(url, got) => drop(facts.documents.insert(url, got)),
        }
    }
}
