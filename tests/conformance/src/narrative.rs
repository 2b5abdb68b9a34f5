use mailzone_provider::{Access, Batch, Outcome as Done, ProviderErrorKind, RRsetChange, Zone, ZoneId};
use mailzone_record::{Name, RecordType};

use crate::scene::{Check, Scene, Stop, ensure};
use crate::{Harness, parse_seed};

/// How one step of the narrative went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct StepReport {
    pub step: &'static str,
    pub outcome: Outcome,
}

/// The end of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Not as it must be.
    Failed(String),
    /// The provider's capabilities refuse what the step is about, and why.
    Skipped(String),
}

/// Leads the provider through all steps. Each begins with a zone of its own making, so that one failure
/// does not bring the next.
pub async fn run(harness: &dyn Harness) -> Vec<StepReport> {
    let mut reports = Vec::new();
    macro_rules! steps {
        ($($step:ident),* $(,)?) => { $(
            let outcome = match $step(harness).await {
                Ok(()) => Outcome::Passed,
                Err(Stop::Failed(message)) => Outcome::Failed(message),
                Err(Stop::Skipped(reason)) => Outcome::Skipped(reason),
            };
            reports.push(StepReport { step: stringify!($step), outcome });
        )* };
    }
    steps![
        lists_and_reads,
        create_one_txt,
        add_a_value_beside_foreign_ones,
        update_one_value,
        change_the_ttl_only,
        delete_one_value_then_the_last,
        every_type_we_manage,
        replace_a_cname_by_txt,
        replace_txt_by_a_cname,
        long_txt,
        odd_bytes,
        odd_names,
        types_we_do_not_know,
        create_update_delete_in_one_batch,
        an_empty_batch,
        some_already_some_not,
        stale_writes_nothing,
        somebody_else_edits_another_set,
        somebody_else_edits_the_same_set,
        somebody_else_was_faster,
        a_large_batch,
        an_empty_zone,
        a_zone_that_is_not_there,
    ];
    reports
}

/// Checks that no step failed.
///
/// # Panics
/// With all failures, if there is one.
#[expect(clippy::panic, reason = "this is an assertion")]
pub fn assert_passed(reports: &[StepReport]) {
    let failures: Vec<String> = reports
        .iter()
        .filter_map(|report| match &report.outcome {
            Outcome::Failed(message) => Some(format!("{}: {message}", report.step)),
            _ => None,
        })
        .collect();
    if reports.is_empty() || !failures.is_empty() {
        panic!("{} of {} steps failed\n{}", failures.len(), reports.len(), failures.join("\n"));
    }
}

const ORIGIN: &str = "conformance.example.";

/// A zone as people leave them behind.
const MESSY: &str = r#"
@ 3600 MX 10 mail.conformance.example.
@ 3600 MX 20 Backup.Mail.Example.NET.
@ 300 TXT "google-site-verification=abc;def"
@ 300 TXT "v=spf1 mx -all"
@ 300 TXT "MS=ms\"12\\34\" x"
@ 3600 CAA 0 issue "ca.example; policy=\"x\""
mail 3600 A 192.0.2.25
mail 3600 AAAA 2001:db8::25
s1._domainkey 3600 TXT "v=DKIM1; k=rsa; p=MIIB" "IjANBg"
s2._domainkey 3600 CNAME s2.dkim.example.net.
_25._tcp.mail 3600 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_imaps._tcp 3600 SRV 0 1 993 mail.conformance.example.
* 3600 TXT "wild"
sub 3600 NS ns.sub.conformance.example.
"#;

/// The zone is listed as one that can be written, and a snapshot has every record of it.
async fn lists_and_reads(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let zones = scene.provider().zones().await.map_err(|error| Stop::Failed(format!("no listing: {error}")))?;
    let listed: Vec<_> = zones.iter().filter(|zone| zone.name == scene.zone().name).collect();
    ensure(listed.len() == 1 && *listed[0] == *scene.zone(), || {
        format!("listed as {listed:?}, seeded {:?}", scene.zone())
    })?;
    ensure(listed[0].access == Access::ReadWrite, || "not writable".into())?;

    let snapshot = scene.snapshot().await?;
    for expected in parse_seed(&scene.zone().name, MESSY) {
        let live = snapshot.get(&expected.name, expected.rtype);
        ensure(live.is_some_and(|live| live.same_data(&expected)), || format!("{expected:?} is read as {live:?}"))?;
    }
    let sets = snapshot.rrsets().iter().filter(|set| set.rtype != RecordType::SOA && set.rtype != RecordType::NS);
    let expected = parse_seed(&scene.zone().name, MESSY).iter().filter(|set| set.rtype != RecordType::NS).count();
    let count = sets.count();
    ensure(count == expected, || format!("{count} sets instead of {expected}"))
}

/// The first thing that anybody does.
async fn create_one_txt(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let dmarc =
        scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none; rua=mailto:d@conformance.example""#]).await?;
    scene.change(&[dmarc]).await.map(drop)
}

/// The set is shared: the verification tokens beside our value are other people's.
async fn add_a_value_beside_foreign_ones(harness: &dyn Harness) -> Check {
    let tokens = r#"
@ 300 TXT "google-site-verification=abc;def"
@ 300 TXT "MS=ms\"12\\34\" x"
"#;
    let scene = Scene::set(harness, ORIGIN, tokens).await?;
    let values = [r#""google-site-verification=abc;def""#, r#""MS=ms\"12\\34\" x""#, r#""v=spf1 mx ~all""#];
    let spf = scene.plan("@", "TXT", None, &values).await?;
    scene.change(&[spf]).await.map(drop)
}

/// One of three values becomes another.
async fn update_one_value(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let values =
        [r#""google-site-verification=abc;def""#, r#""v=spf1 mx ip4:192.0.2.0/24 -all""#, r#""MS=ms\"12\\34\" x""#];
    let spf = scene.plan("@", "TXT", None, &values).await?;
    scene.change(&[spf]).await?;
    let mx = ["10 mail.conformance.example.", "30 backup.mail.example.net."];
    let mx = scene.plan("@", "MX", None, &mx).await?;
    scene.change(&[mx]).await.map(drop)
}

/// The data stays, the TTL of the whole set changes.
async fn change_the_ttl_only(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    if !scene.provider().capabilities().ttl.per_rrset {
        return Err(Stop::Skipped("no TTL per RRset".into()));
    }
    let mx = ["10 mail.conformance.example.", "20 backup.mail.example.net."];
    let mx = scene.plan("@", "MX", Some(900), &mx).await?;
    scene.change(&[mx]).await.map(drop)
}

/// Values go one by one; with the last one the set is gone.
async fn delete_one_value_then_the_last(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let one_less = scene.plan("@", "MX", None, &["10 mail.conformance.example."]).await?;
    scene.change(&[one_less]).await?;
    let none = scene.plan("@", "MX", None, &[]).await?;
    scene.change(&[none]).await?;
    let key = scene.plan("s1._domainkey", "TXT", None, &[]).await?;
    scene.change(&[key]).await.map(drop)
}

/// Every type that mailzone manages is created, updated and deleted.
async fn every_type_we_manage(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let cases = [
        ("new", "A", "192.0.2.1", "192.0.2.2"),
        ("new", "AAAA", "2001:db8::1", "2001:db8::2"),
        ("new", "MX", "0 .", "5 mail.example.net."),
        ("new", "TXT", r#""one""#, r#""two""#),
        ("new", "CAA", r#"0 issue ";""#, r#"128 iodef "mailto:ca@example.com""#),
        ("_993._tcp.new", "SRV", "0 0 0 .", "1 2 993 imap.example.net."),
        ("_25._tcp.new", "TLSA", "3 1 1 00", "2 0 1 ffee"),
        ("alias", "CNAME", "one.example.net.", "two.example.net."),
        ("25.2.0.192", "PTR", "one.example.net.", "two.example.net."),
        ("child", "NS", "ns1.example.net.", "ns2.example.net."),
    ];
    let (mut refused, mut done) = (Vec::new(), 0);
    for (owner, rtype, first, second) in cases {
        for values in [vec![first], vec![first, second], vec![second], vec![]] {
            if rtype == "CNAME" && values.len() > 1 {
                continue;
            }
            let change = scene.plan(owner, rtype, Some(3600), &values).await?;
            match scene.change(&[change]).await {
                Ok(_) => done += 1,
                Err(Stop::Skipped(reason)) => {
                    refused.push(reason);
                    break;
                }
                Err(Stop::Failed(message)) => return Err(Stop::Failed(format!("{rtype}: {message}"))),
            }
        }
    }
    ensure(done > 0, || format!("nothing can be stored: {refused:?}"))
}

/// A CNAME excludes everything else at its name: the deletion stands first, both go out together.
async fn replace_a_cname_by_txt(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let cname = scene.plan("s2._domainkey", "CNAME", None, &[]).await?;
    let txt = scene.plan("s2._domainkey", "TXT", Some(3600), &[r#""v=DKIM1; p=MIIB""#]).await?;
    scene.change(&[cname, txt]).await.map(drop)
}

/// The way back.
async fn replace_txt_by_a_cname(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let txt = scene.plan("s1._domainkey", "TXT", None, &[]).await?;
    let cname = scene.plan("s1._domainkey", "CNAME", Some(3600), &["s1.dkim.example.net."]).await?;
    scene.change(&[txt, cname]).await.map(drop)
}

/// A DKIM key needs several character-strings; their borders come back as they were sent.
async fn long_txt(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let (full, rest) = ("A".repeat(255), "b".repeat(140));
    let two = format!(r#""v=DKIM1; p={}" "{rest}""#, "A".repeat(240));
    let four = format!(r#""{full}" "{full}" "{full}" "{rest}""#);
    let uneven = r#""v=DKIM1; " "" "p=" "MIIB""#;
    for value in [two.as_str(), four.as_str(), uneven] {
        let key = scene.plan("long._domainkey", "TXT", Some(3600), &[value]).await?;
        scene.change(&[key]).await?;
    }
    Ok(())
}

/// Octets that need escapes somewhere on the way, as ours and as foreign neighbours.
async fn odd_bytes(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let odd = [
        r#""quote \" inside""#,
        r#""backslash \\ and \\\\ two""#,
        r#""semicolon; (parentheses) @ $ * # ' ` %41 &amp;""#,
        r#""latin \228 and utf-8 \195\188 \226\130\172""#,
        r#""tab \009 and  two  blanks ""#,
        r#""""#,
    ];
    for (i, value) in odd.iter().enumerate() {
        let change = scene.plan(&format!("odd{i}"), "TXT", Some(3600), &[value]).await?;
        scene.change(&[change]).await?;
    }
    let all = scene.plan("odd", "TXT", Some(3600), &odd).await?;
    scene.change(&[all]).await?;
    let fewer = scene.plan("odd", "TXT", None, &odd[..odd.len() - 1]).await?;
    scene.change(&[fewer]).await.map(drop)
}

/// Case is kept and means nothing; wildcards, underscores and A-labels are names like any other.
async fn odd_names(harness: &dyn Harness) -> Check {
    let records = r#"
WWW 3600 TXT "one"
Mixed.Case 3600 A 192.0.2.1
*.wild 3600 TXT "star"
_under_score 3600 TXT "u"
xn--bcher-kva 3600 TXT "idn"
deep.er.and.deep.er 3600 TXT "deep"
"#;
    let scene = Scene::set(harness, ORIGIN, records).await?;
    let www = scene.plan("www", "TXT", None, &[r#""one""#, r#""two""#]).await?;
    scene.change(&[www]).await?;
    for owner in ["*.wild", "_under_score", "xn--bcher-kva", "new._under.score", "*", "deep.er.and.deep.er"] {
        let change = scene.plan(owner, "TXT", None, &[r#""changed""#]).await?;
        scene.change(&[change]).await?;
    }
    let gone = scene.plan("mixed.case", "A", None, &[]).await?;
    scene.change(&[gone]).await.map(drop)
}

/// What mailzone does not understand survives changes beside it, above it and below it.
async fn types_we_do_not_know(harness: &dyn Harness) -> Check {
    let records = r#"
@ 3600 TYPE65280 \# 4 0a000001
odd 3600 TYPE65281 \# 0
odd 3600 TXT "beside"
odd 3600 HINFO "PC" "Linux"
odd 3600 SSHFP 2 1 123456789abcdef67890123456789abcdef67890
below.odd 3600 NAPTR 100 10 "u" "sip+E2U" "!^.*$!sip:info@example.com!" .
odd 3600 LOC 42 21 54.000 N 71 6 18.000 W -24.00m 30m
"#;
    let scene = Scene::set(harness, ORIGIN, records).await?;
    let snapshot = scene.snapshot().await?;
    let types = [
        ("@", "TYPE65280"),
        ("odd", "TYPE65281"),
        ("odd", "HINFO"),
        ("odd", "SSHFP"),
        ("below.odd", "NAPTR"),
        ("odd", "LOC"),
    ];
    for (owner, rtype) in types {
        ensure(scene.get(&snapshot, owner, rtype)?.is_some(), || format!("{owner} {rtype} is not in the snapshot"))?;
    }
    for values in [vec![r#""beside""#, r#""more""#], vec![r#""more""#], vec![]] {
        let change = scene.plan("odd", "TXT", None, &values).await?;
        scene.change(&[change]).await?;
    }
    Ok(())
}

/// One stage of a real plan.
async fn create_update_delete_in_one_batch(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let changes = [
        scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none""#]).await?,
        scene.plan("@", "MX", None, &["10 mail.conformance.example."]).await?,
        scene.plan("mail", "A", None, &["192.0.2.26", "192.0.2.27"]).await?,
        scene.plan("_25._tcp.mail", "TLSA", None, &[]).await?,
        scene.plan("_smtp._tls", "TXT", Some(3600), &[r#""v=TLSRPTv1; rua=mailto:t@conformance.example""#]).await?,
    ];
    scene.change(&changes).await.map(drop)
}

/// Nothing to do is no error and no write.
async fn an_empty_batch(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let before = scene.view().await?;
    scene.apply_expecting(&[], &[]).await?;
    scene.unchanged_since(&before).await
}

/// A run that was interrupted: the next one finishes what is missing.
async fn some_already_some_not(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let dmarc = scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none""#]).await?;
    let mx = scene.plan("@", "MX", None, &["10 mail.conformance.example."]).await?;
    let gone = scene.plan("s2._domainkey", "CNAME", None, &[]).await?;
    scene.change(std::slice::from_ref(&dmarc)).await?;
    scene.change(std::slice::from_ref(&gone)).await?;
    scene.apply_expecting(&[dmarc, mx, gone], &[Done::Already, Done::Applied, Done::Already]).await
}

/// One change whose `before` is not what is there stops the zone.
async fn stale_writes_nothing(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let good = scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none""#]).await?;
    let real = scene.plan("mail", "A", None, &["192.0.2.99"]).await?;
    let wrong_before = {
        let other = scene.plan("mail", "A", None, &["192.0.2.98"]).await?;
        RRsetChange::new(other.after().cloned(), real.after().cloned())
            .ok_or_else(|| Stop::Failed("no change".into()))?
    };
    let believed_absent =
        RRsetChange::new(None, real.after().cloned()).ok_or_else(|| Stop::Failed("no change".into()))?;
    let before = scene.view().await?;
    for stale in [wrong_before, believed_absent] {
        scene.apply_expecting(&[good.clone(), stale], &[Done::Skipped, Done::Stale]).await?;
        scene.unchanged_since(&before).await?;
    }
    Ok(())
}

/// Between plan and apply somebody else works in the zone, elsewhere: both survive.
async fn somebody_else_edits_another_set(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let planned = scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none""#]).await?;
    scene.somebody_else("www", "A", 600, &["192.0.2.80"]).await?;
    scene.somebody_else("mail", "AAAA", 600, &[]).await?;
    let after = scene.change(&[planned]).await?;
    ensure(scene.get(&after.snapshot, "www", "A")?.is_some(), || "the other's new record is lost".into())?;
    ensure(scene.get(&after.snapshot, "mail", "AAAA")?.is_none(), || "the other's deletion is undone".into())
}

/// Between plan and apply somebody else changes the very set: theirs stays, and it is said.
async fn somebody_else_edits_the_same_set(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let ours = scene.plan("@", "TXT", None, &[r#""google-site-verification=abc;def""#, r#""v=spf1 -all""#]).await?;
    let other = scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none""#]).await?;
    scene.somebody_else("@", "TXT", 300, &[r#""google-site-verification=abc;def""#, r#""theirs""#]).await?;
    let before = scene.view().await?;
    scene.apply_expecting(&[other.clone(), ours], &[Done::Skipped, Done::Stale]).await?;
    scene.unchanged_since(&before).await?;

    let deletion = scene.plan("s1._domainkey", "TXT", None, &[]).await?;
    scene.somebody_else("s1._domainkey", "TXT", 300, &[r#""theirs""#]).await?;
    scene.somebody_else("_dmarc", "TXT", 300, &[r#""v=DMARC1; p=reject""#]).await?;
    let before = scene.view().await?;
    scene.apply_expecting(&[other, deletion], &[Done::Stale, Done::Stale]).await?;
    scene.unchanged_since(&before).await
}

/// Between plan and apply somebody else does just what we wanted.
async fn somebody_else_was_faster(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let ours = scene.plan("mail", "A", None, &["192.0.2.26"]).await?;
    scene.somebody_else("mail", "A", 3600, &["192.0.2.26"]).await?;
    let before = scene.view().await?;
    scene.apply_expecting(&[ours], &[Done::Already]).await?;
    scene.unchanged_since(&before).await
}

/// More than services take in one request.
async fn a_large_batch(harness: &dyn Harness) -> Check {
    use std::fmt::Write as _;

    let mut records = String::from(MESSY);
    for i in 0..250 {
        let _ = writeln!(records, "old{i} 3600 TXT \"old {i}\"\nkept{i} 3600 TXT \"kept {i}\"");
    }
    let scene = Scene::set(harness, ORIGIN, &records).await?;
    let mut changes = Vec::with_capacity(500);
    let template = scene.plan("new", "TXT", Some(3600), &[r#""new""#]).await?;
    let snapshot = scene.snapshot().await?;
    for i in 0..250 {
        let named = |owner: String| Name::parse_in(&owner, Some(&scene.zone().name));
        let (Ok(old), Ok(new)) = (named(format!("old{i}")), named(format!("new{i}"))) else { continue };
        let created = template.after().cloned().map(|set| mailzone_record::RRset { name: new, ..set });
        let deleted = snapshot.get(&old, RecordType::TXT).cloned();
        changes.extend(RRsetChange::new(None, created));
        changes.extend(RRsetChange::new(deleted, None));
    }
    ensure(changes.len() == 500, || format!("only {} changes", changes.len()))?;
    scene.change(&changes).await.map(drop)
}

/// SOA and NS alone: where to write the first record must be found.
async fn an_empty_zone(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, "empty.example.", "").await?;
    let changes = [
        scene.plan("@", "MX", None, &["0 ."]).await?,
        scene.plan("@", "TXT", None, &[r#""v=spf1 -all""#]).await?,
        scene.plan("_dmarc", "TXT", None, &[r#""v=DMARC1; p=reject""#]).await?,
    ];
    let after = scene.change(&changes).await?;
    let count = after.snapshot.rrsets().iter().filter(|set| set.rtype != RecordType::SOA).count();
    ensure(count == 4, || format!("{count} sets beside the SOA instead of 4"))?;
    let mut undo = Vec::new();
    for (owner, rtype) in [("@", "MX"), ("@", "TXT"), ("_dmarc", "TXT")] {
        undo.push(scene.plan(owner, rtype, None, &[]).await?);
    }
    scene.change(&undo).await.map(drop)
}

/// Asking for a zone that is gone says so, and nothing is made.
async fn a_zone_that_is_not_there(harness: &dyn Harness) -> Check {
    let scene = Scene::set(harness, ORIGIN, MESSY).await?;
    let change = scene.plan("_dmarc", "TXT", Some(3600), &[r#""v=DMARC1; p=none""#]).await?;
    let name = Name::parse("not-there.example.").map_err(|error| Stop::Failed(error.to_string()))?;
    let zone = Zone { id: ZoneId::new("not-there.example"), name, access: Access::ReadWrite, nameservers: Vec::new() };
    let read = scene.provider().snapshot(&zone).await.map(drop);
    let written = scene.provider().apply(&zone, &Batch { changes: vec![change] }).await.map(drop);
    for result in [read, written] {
        let kind = result.map_err(|error| error.kind);
        ensure(matches!(kind, Err(ProviderErrorKind::NoZone(_))), || {
            format!("expected \"no such zone\", got {kind:?}")
        })?;
    }
    Ok(())
}
