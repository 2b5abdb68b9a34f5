//! One domain's slots.

use mailzone_config::{
    CaaSetting, DkimSetting, Domain, Located, MailUse as ConfiguredUse, MtaSts, MtaStsMode, MtaStsSetting, MxSetting,
    RecordSetting, Settings, Slot as Wanted, TextOrCname, WebHost,
};
use mailzone_mailauth::{KindId, dkim, dmarc, mta_sts, spf};
use mailzone_plan::{Allow, Claim, DomainFacts, MailUse, Own, Slot};
use mailzone_record::{Mx, Name, RRsetKey, Rdata, RecordType, Txt};

use super::PlacedClaim;
use super::reports::Authorisations;

/// Adds the claims of one domain, and tells what the planner has to know of it.
pub(super) fn claims(
    settings: &Settings,
    domain: &Domain,
    authorisations: &Authorisations,
    out: &mut Vec<PlacedClaim>,
) -> DomainFacts {
    let mut builder = Builder { domain, out, mentioned: Vec::new() };
    builder.mx();
    builder.spf(settings);
    builder.dkim();
    builder.dmarc(authorisations);
    builder.report_authorisation(authorisations);
    builder.mta_sts();
    builder.tls_rpt();
    builder.bimi();
    builder.caa();
    builder.client_settings(settings);
    builder.senders();
    builder.records();
    let mentioned = builder.mentioned;
    DomainFacts {
        domain: domain.name.clone(),
        mail: match domain.mail {
            ConfiguredUse::Both => MailUse::Both,
            ConfiguredUse::Send => MailUse::Send,
            ConfiguredUse::Receive => MailUse::Receive,
            ConfiguredUse::None => MailUse::None,
        },
        sts_policy: policy_of(domain).map(|(_, policy)| policy),
        mentioned,
        formerly: Vec::new(),
    }
}

/// Adds the allow entries that hold on `today`, and apart those that have run out.
pub(super) fn allows(domain: &Domain, today: (i32, u8, u8), out: &mut Vec<Allow>, expired: &mut Vec<(Allow, String)>) {
    for entry in &domain.allow {
        let allow = Allow {
            code: entry.value.code.clone(),
            name: entry.value.name.as_ref().map(ToString::to_string),
            domain: Some(domain.name.clone()),
            reason: entry.value.reason.clone(),
        };
        match entry.value.until {
            Some(until) if (i32::from(until.year), until.month, until.day) < today => {
                expired.push((allow, until.to_string()));
            }
            _ => out.push(allow),
        }
    }
}

/// A domain's MTA-STS record id and policy, where it has a policy of its own.
pub(super) fn policy_of(domain: &Domain) -> Option<(String, mta_sts::Policy)> {
    match domain.mta_sts.as_ref()?.value.wanted()? {
        MtaStsSetting::Policy(sts) => Some(sts_policy(sts)),
        MtaStsSetting::Cname(_) => None,
    }
}

pub(super) struct Builder<'a> {
    pub(super) domain: &'a Domain,
    out: &'a mut Vec<PlacedClaim>,
    mentioned: Vec<Slot>,
}

impl Builder<'_> {
    fn mx(&mut self) {
        let Some(setting) = &self.domain.mx else { return };
        let slot = self.mention(KindId::Mx, None);
        let want = match &setting.value {
            Wanted::Unmanaged => return,
            Wanted::Absent => Vec::new(),
            Wanted::Want(MxSetting::Null) => vec![Rdata::Mx(Mx { preference: 0, exchange: Name::root() })],
            Wanted::Want(MxSetting::Hosts(hosts)) => hosts.iter().cloned().map(Rdata::Mx).collect(),
        };
        self.push(slot, self.domain.name.clone(), RecordType::MX, Own::RRset, want, setting.from_profile);
    }

    fn spf(&mut self, settings: &Settings) {
        let Some(setting) = &self.domain.spf else { return };
        let slot = self.mention(KindId::Spf, None);
        let (want, hosts, uses_mx) = match &setting.value {
            Wanted::Unmanaged => return,
            Wanted::Absent => (Vec::new(), Vec::new(), false),
            Wanted::Want(spf) => (vec![text(&spf.text)], spf.hosts.clone(), uses_mx(&spf.text)),
        };
        let mut relies_on = Vec::new();
        if uses_mx && matches!(&self.domain.mx, Some(mx) if mx.value.wanted().is_some()) {
            relies_on.push(RRsetKey { name: self.domain.name.clone(), rtype: RecordType::MX });
        }
        relies_on.extend(hosts.iter().flat_map(|host| super::host::address_keys(settings, host)));
        let owner = self.domain.name.clone();
        let claim = self.push(slot, owner, RecordType::TXT, Own::Candidates, want, setting.from_profile);
        claim.relies_on = relies_on;
    }

    fn dkim(&mut self) {
        let domain = self.domain;
        for (selector, setting) in &domain.dkim {
            let slot = self.mention(KindId::Dkim, Some(selector));
            let Ok(owner) = domain.name.prepend(&format!("{selector}._domainkey")) else { continue };
            let others: Vec<RRsetKey> = live_selectors(domain).filter(|key| key.name != owner).collect();
            let (txt, cname, adopt) = match &setting.value {
                Wanted::Unmanaged => continue,
                Wanted::Absent => (Vec::new(), Vec::new(), false),
                Wanted::Want(DkimSetting::Cname(target)) => (Vec::new(), vec![Rdata::Cname(target.clone())], false),
                Wanted::Want(DkimSetting::Key(key)) => (vec![text(&key.text)], Vec::new(), key.keep_live_tags),
            };
            self.text_or_cname(slot, &owner, Own::RRset, txt, cname, setting.from_profile, |claim| {
                claim.adopt = adopt;
                claim.relies_on.clone_from(&others);
            });
        }
    }

    fn dmarc(&mut self, authorisations: &Authorisations) {
        let domain = self.domain;
        let Some(setting) = &domain.dmarc else { return };
        let slot = self.mention(KindId::Dmarc, None);
        let Ok(owner) = domain.name.prepend("_dmarc") else { return };
        let Some((txt, cname)) = text_or_cname(&setting.value) else { return };
        // Consent is needed for reports whatever the policy is.
        let mut relies_on: Vec<RRsetKey> = authorisations.needed_by(&domain.name).collect();
        // Without a policy above `none` nothing is lost that is not signed or authorised yet.
        if matches!(&setting.value, Wanted::Want(TextOrCname::Text(text)) if is_enforced(text)) {
            relies_on.extend(live_selectors(domain));
            if matches!(&domain.spf, Some(spf) if spf.value.wanted().is_some()) {
                relies_on.push(RRsetKey { name: domain.name.clone(), rtype: RecordType::TXT });
            }
        }
        self.text_or_cname(slot, &owner, Own::Candidates, txt, cname, setting.from_profile, |claim| {
            claim.relies_on.clone_from(&relies_on);
        });
    }

    fn report_authorisation(&mut self, authorisations: &Authorisations) {
        let Some(setting) = &self.domain.report_authorisation else { return };
        for (key, owner) in authorisations.held_by(&self.domain.name) {
            let slot = self.mention(KindId::ReportAuthorisation, Some(key));
            let want = vec![text("v=DMARC1")];
            self.push(slot, owner.clone(), RecordType::TXT, Own::Candidates, want, setting.from_profile).own_name =
                true;
        }
    }

    fn mta_sts(&mut self) {
        let domain = self.domain;
        let Some(setting) = &domain.mta_sts else { return };
        let slot = self.mention(KindId::MtaSts, None);
        let Ok(owner) = domain.name.prepend("_mta-sts") else { return };
        let (txt, cname, host) = match &setting.value {
            Wanted::Unmanaged => return,
            Wanted::Absent => (Vec::new(), Vec::new(), None),
            Wanted::Want(MtaStsSetting::Cname(target)) => (Vec::new(), vec![Rdata::Cname(target.clone())], None),
            Wanted::Want(MtaStsSetting::Policy(sts)) => {
                let (id, _) = sts_policy(sts);
                (vec![text(&format!("v=STSv1; id={id}"))], Vec::new(), sts.host.as_ref())
            }
        };
        let mut relies_on = Vec::new();
        if let (Some(host), Ok(name)) = (host, domain.name.prepend("mta-sts")) {
            relies_on = self.sts_host(&name, host);
        }
        let enforced = policy_of(domain).is_some_and(|(_, policy)| policy.mode == mta_sts::Mode::Enforce);
        self.text_or_cname(slot, &owner, Own::Candidates, txt, cname, setting.from_profile, |claim| {
            claim.relies_on.clone_from(&relies_on);
            claim.relies_always = enforced;
        });
    }

    /// The host that serves the policy. Gives the RRsets that have to be visible before the policy is asked for.
    fn sts_host(&mut self, name: &Name, host: &Located<WebHost>) -> Vec<RRsetKey> {
        let slot = Slot::keyed(self.domain.name.clone(), KindId::MtaSts, "host");
        let mut keys = Vec::new();
        for (rtype, want) in web_host(&host.value) {
            if !want.is_empty() {
                keys.push(RRsetKey { name: name.clone(), rtype });
            }
            self.push(slot.clone(), name.clone(), rtype, Own::RRset, want, host.from_profile).own_name = true;
        }
        keys
    }

    fn tls_rpt(&mut self) {
        let Some(setting) = &self.domain.tls_rpt else { return };
        let slot = self.mention(KindId::TlsRpt, None);
        let Ok(owner) = self.domain.name.prepend("_smtp._tls") else { return };
        let Some((txt, cname)) = text_or_cname(&setting.value) else { return };
        self.text_or_cname(slot, &owner, Own::Candidates, txt, cname, setting.from_profile, |_| {});
    }

    fn caa(&mut self) {
        let Some(setting) = &self.domain.caa else { return };
        let slot = self.mention(KindId::Caa, None);
        let (own, want) = match &setting.value {
            Wanted::Unmanaged => return,
            Wanted::Absent => (Own::RRset, Vec::new()),
            Wanted::Want(CaaSetting { tags, exclusive }) => {
                let own = if *exclusive { Own::RRset } else { Own::CaaTags(tags.keys().cloned().collect()) };
                (own, tags.values().flatten().cloned().map(Rdata::Caa).collect())
            }
        };
        self.push(slot, self.domain.name.clone(), RecordType::CAA, own, want, setting.from_profile);
    }

    fn records(&mut self) {
        let domain = self.domain;
        for ((owner, rtype), setting) in &domain.records {
            let label = match owner.without_suffix(&domain.name) {
                Some(prefix) if prefix.is_root() => "@".to_owned(),
                Some(prefix) => prefix.to_text_without_dot(),
                None => owner.to_text_without_dot(),
            };
            let slot = self.mention(KindId::Records, Some(&format!("{label}.{rtype}")));
            let (own, want) = match &setting.value {
                Wanted::Unmanaged => continue,
                Wanted::Absent => (Own::RRset, Vec::new()),
                Wanted::Want(RecordSetting { values, exclusive: true }) => (Own::RRset, values.clone()),
                Wanted::Want(RecordSetting { values, exclusive: false }) => {
                    (Own::Values(values.clone()), values.clone())
                }
            };
            self.push(slot, owner.clone(), *rtype, own, want, setting.from_profile);
        }
    }

    /// A slot whose name is its own: TXT there, or a CNAME, never both.
    #[expect(clippy::too_many_arguments, reason = "the parts of one slot, named at each of the callers")]
    pub(super) fn text_or_cname(
        &mut self,
        slot: Slot,
        owner: &Name,
        own: Own,
        txt: Vec<Rdata>,
        cname: Vec<Rdata>,
        from_profile: bool,
        adjust: impl Fn(&mut Claim),
    ) {
        let wants_text = !txt.is_empty();
        let claim = self.push(slot.clone(), owner.clone(), RecordType::TXT, own, txt, from_profile);
        claim.own_name = true;
        adjust(claim);
        // Where text is wanted a CNAME in the way is foreign: the planner replaces it, guarded.
        if !wants_text {
            let claim = self.push(slot, owner.clone(), RecordType::CNAME, Own::RRset, cname, from_profile);
            claim.own_name = true;
            adjust(claim);
        }
    }

    pub(super) fn mention(&mut self, kind: KindId, key: Option<&str>) -> Slot {
        let slot = Slot { domain: self.domain.name.clone(), kind, key: key.map(str::to_owned) };
        self.mentioned.push(slot.clone());
        slot
    }

    pub(super) fn push(
        &mut self,
        slot: Slot,
        owner: Name,
        rtype: RecordType,
        own: Own,
        want: Vec<Rdata>,
        from_profile: bool,
    ) -> &mut Claim {
        let ttl = self.domain.ttl_of(&slot.to_string());
        let claim = Claim {
            slot,
            domain: self.domain.name.clone(),
            owner,
            rtype,
            own,
            want,
            ttl,
            own_name: false,
            from_profile,
            adopt: false,
            relies_on: Vec::new(),
            relies_always: false,
        };
        let at = self.out.len();
        self.out.push(PlacedClaim {
            claim,
            provider: Some(self.domain.provider.value.clone()),
            zone: self.domain.zone.as_ref().map(|zone| zone.value.clone()),
            zone_id: self.domain.zone_id.as_ref().map(|id| id.value.clone()),
            domain: Some(self.domain.name.clone()),
        });
        &mut self.out[at].claim
    }
}

/// Whether an SPF record sends readers to the domain's own MX.
fn uses_mx(text: &str) -> bool {
    let Ok(record) = spf::Record::parse(text) else { return false };
    let own_mx = |mechanism: &spf::Mechanism| mechanism.name() == "mx" && mechanism.domain().is_none();
    record.directives().any(|(_, mechanism)| own_mx(mechanism))
}

/// Whether a DMARC record asks for more than reports, of the domain or the names below it.
fn is_enforced(text: &str) -> bool {
    let Ok(record) = dmarc::Record::parse(text) else { return false };
    let policies =
        [record.effective_policy(), record.effective_subdomain_policy(), record.effective_nonexistent_policy()];
    policies.iter().any(|policy| *policy > dmarc::Policy::None)
}

/// The RRsets of the selectors that verify mail: wanted and not revoked.
pub(super) fn live_selectors(domain: &Domain) -> impl Iterator<Item = RRsetKey> {
    let own = domain.dkim.iter().filter_map(|(selector, setting)| {
        let rtype = match setting.value.wanted()? {
            DkimSetting::Cname(_) => RecordType::CNAME,
            DkimSetting::Key(key) if is_revoked(&key.text) => return None,
            DkimSetting::Key(_) => RecordType::TXT,
        };
        let name = domain.name.prepend(&format!("{selector}._domainkey")).ok()?;
        Some(RRsetKey { name, rtype })
    });
    own.chain(super::senders::keys(domain))
}

/// The RRsets of a host that is asked over HTTPS; a CNAME stands alone.
pub(super) fn web_host(host: &WebHost) -> Vec<(RecordType, Vec<Rdata>)> {
    let (cname, ipv4, ipv6) = match host {
        WebHost::Cname(target) => (vec![Rdata::Cname(target.clone())], Some(Vec::new()), Some(Vec::new())),
        WebHost::Addresses { ipv4, ipv6 } => (
            Vec::new(),
            ipv4.as_ref().map(|list| list.iter().copied().map(Rdata::A).collect()),
            ipv6.as_ref().map(|list| list.iter().copied().map(Rdata::Aaaa).collect()),
        ),
    };
    let sets = [(RecordType::CNAME, Some(cname)), (RecordType::A, ipv4), (RecordType::AAAA, ipv6)];
    sets.into_iter().filter_map(|(rtype, want)| Some((rtype, want?))).collect()
}

/// The TXT and the CNAME values wanted; `None` where the slot is left alone.
pub(super) fn text_or_cname(setting: &Wanted<TextOrCname>) -> Option<(Vec<Rdata>, Vec<Rdata>)> {
    match setting {
        Wanted::Unmanaged => None,
        Wanted::Absent => Some((Vec::new(), Vec::new())),
        Wanted::Want(TextOrCname::Text(value)) => Some((vec![text(value)], Vec::new())),
        Wanted::Want(TextOrCname::Cname(target)) => Some((Vec::new(), vec![Rdata::Cname(target.clone())])),
    }
}

/// A policy and its id. Patterns were checked when the configuration was read.
fn sts_policy(sts: &MtaSts) -> (String, mta_sts::Policy) {
    let policy = mta_sts::Policy {
        mode: match sts.mode {
            MtaStsMode::Enforce => mta_sts::Mode::Enforce,
            MtaStsMode::Testing => mta_sts::Mode::Testing,
            MtaStsMode::None => mta_sts::Mode::None,
        },
        mx: sts.mx.iter().filter_map(|pattern| mta_sts::MxPattern::parse(pattern).ok()).collect(),
        max_age: sts.max_age,
    };
    let id = sts.id.clone().unwrap_or_else(|| mta_sts::auto_id(&policy));
    (id, policy)
}

/// Whether a key record's text says that the key is gone.
pub(super) fn is_revoked(text: &str) -> bool {
    dkim::KeyRecord::parse(text).is_ok_and(|record| record.key == dkim::Key::Revoked)
}

pub(super) fn text(value: &str) -> Rdata {
    Rdata::Txt(Txt::from_text(value))
}
