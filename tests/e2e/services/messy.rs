//! Zones as they are found, at every service: plan, apply, and a plan that is empty; nothing foreign changes.

use mailzone_record::{RRset, RRsetKey, Rdata, RecordType, Ttl, Txt};

use super::each;
use super::stage::Site;
use crate::settle::guards;

/// A mess, what is wanted of it, and what has to be allowed.
pub(crate) struct Mess {
    pub(crate) what: &'static str,
    pub(crate) origin: &'static str,
    pub(crate) domain: &'static str,
    pub(crate) records: Vec<String>,
    pub(crate) allow: &'static [&'static str],
}

/// An RSA key of 1024 bits, made for these tests.
const KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB";

pub(crate) fn messes() -> Vec<Mess> {
    let mess = |what, domain, records: &[&str]| Mess {
        what,
        origin: "example.test",
        domain,
        records: records.iter().map(|&record| record.to_owned()).collect(),
        allow: &[],
    };
    let (head, tail) = KEY.split_at(100);
    let key = |record: String| Mess {
        what: "a DKIM key in some form, and another slot is written",
        origin: "example.test",
        domain: "dmarc = { policy = \"none\" }\ndkim.s1 = { txt = \"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB\" }\n",
        records: vec![record],
        allow: &[],
    };
    vec![
        mess(
            "SPF beside tokens",
            "spf = \"v=spf1 mx -all\"\n",
            &[
                "@ 3600 TXT \"google-site-verification=Zq3-x\"",
                "@ 3600 TXT \"v=spf1 mx  ~all\"",
                "@ 3600 TXT \"MS=ms41077281\"",
                "www 300 A 192.0.2.80",
                "www 300 AAAA 2001:db8::80",
            ],
        ),
        mess(
            "two SPF records",
            "spf = \"v=spf1 mx a -all\"\n",
            &["@ 3600 TXT \"v=spf1 mx -all\"", "@ 3600 TXT \"a token\"", "@ 3600 TXT \"V=SPF1 a ~all\""],
        ),
        key(format!("s1._domainkey 3600 TXT \"v=DKIM1; k=rsa; p={KEY}\"")),
        key(format!("s1._domainkey 3600 TXT \"v=DKIM1; k=rsa; p={head}\" \"{tail}\"")),
        key(format!("s1._domainkey 3600 TXT \"v=DKIM1; k=rsa; p={head} {tail}\"")),
        mess(
            "DMARC with odd spacing, order and case",
            "dmarc = { policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }\n",
            &["_dmarc 3600 TXT \"v = DMARC1; p = None ; rua = mailto:d@example.test\"", "www 3600 CNAME example.test."],
        ),
        mess(
            "two DMARC records beside a token",
            "dmarc = { policy = \"none\" }\n",
            &[
                "_dmarc 3600 TXT \"v=DMARC1; p=none\"",
                "_dmarc 3600 TXT \"v=DMARC1; p=reject\"",
                "_dmarc 3600 TXT \"some other token\"",
            ],
        ),
        Mess {
            allow: &["--allow", "GUARD-CNAME:_dmarc"],
            ..mess(
                "the hoster's CNAME at _dmarc",
                "dmarc = { policy = \"none\" }\n",
                &["_dmarc 3600 CNAME dmarc.hoster.example.", "www 3600 A 192.0.2.1"],
            )
        },
        mess(
            "tokens with quotes, backslashes, semicolons and octets that are no ASCII",
            "spf = \"v=spf1 ~all\"\n",
            &[
                "@ 3600 TXT \"say \\\"hi\\\"; a \\\\ and \\; too\"",
                "@ 3600 TXT \"caf\\195\\169 \\255\\254\"",
                "@ 3600 TXT \"v=spf1 ?all\"",
                "@ 3600 TXT \"two;\" \"strings\"",
            ],
        ),
        mess(
            "wildcards",
            "spf = \"v=spf1 mx -all\"\nmail = \"send\"\n",
            &["* 3600 TXT \"v=spf1 ?all\"", "* 3600 MX 10 mail.example.test.", "*.x 3600 A 192.0.2.1"],
        ),
        mess(
            "a delegated part",
            "spf = \"v=spf1 -all\"\n",
            &["lab 3600 NS ns.lab.example.test.", "ns.lab 3600 A 192.0.2.53"],
        ),
        mess(
            "types that mailzone does not read",
            "spf = \"v=spf1 -all\"\n",
            &[
                "svc 3600 HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1",
                "ca 3600 CAA 0 issue \"ca.example.net\"",
                "_sip._tcp 3600 SRV 1 2 5060 sip.example.test.",
            ],
        ),
        Mess {
            origin: "xn--bcher-kva.example",
            ..mess(
                "an international domain",
                "spf = \"v=spf1 -all\"\n",
                &["@ 3600 TXT \"v=spf1 ?all\"", "www 3600 CNAME xn--bcher-kva.example."],
            )
        },
        mess(
            "an empty zone",
            "spf = \"v=spf1 mx -all\"\nmx = [{ preference = 10, host = \"mail.example.test\" }]\ndmarc = { policy = \"none\" }\n",
            &[],
        ),
        Mess {
            records: (0..700)
                .flat_map(|n| {
                    [format!("h{n} 3600 A 10.0.{}.{}", n / 256, n % 256), format!("h{n} 3600 TXT \"host {n}\"")]
                })
                .collect(),
            ..mess("a large zone", "spf = \"v=spf1 -all\"\ndmarc = { policy = \"none\" }\n", &[])
        },
    ]
}

#[test]
fn every_mess_at_every_service() {
    each(|make| {
        for mess in messes() {
            let stage = make();
            println!("{}: {}", stage.name(), mess.what);
            let records: Vec<&str> = mess.records.iter().map(String::as_str).collect();
            let site = Site::new(stage, mess.origin, mess.domain, &records);
            let before = site.stored();
            let plan = site.run(0, &[&["plan", "--format", "json"], mess.allow].concat()).json();
            let changes = plan["zones"][0]["changes"].as_array().unwrap();
            assert!(!changes.is_empty(), "{} {}: {plan:#}", site.stage.name(), mess.what);
            let touched = |line: &str| {
                changes.iter().any(|change| {
                    let (name, rtype) = (change["name"].as_str().unwrap(), change["type"].as_str().unwrap());
                    line.to_lowercase().starts_with(&format!("{name} {rtype} ").to_lowercase())
                })
            };
            let kept: usize = changes.iter().map(|change| change["kept"].as_array().unwrap().len()).sum();
            site.run(0, &[&["apply", "--yes"], mess.allow].concat());
            let plan = site.run(0, &["plan", "--detailed-exitcode", "--format", "json"]).json();
            assert_eq!(plan["zones"][0]["changes"].as_array().unwrap().len(), 0, "{plan:#}");
            let after = site.stored();
            let (before, after) = (rest(&before, touched), rest(&after, touched));
            assert_eq!(before.0, after.0, "{} {}: foreign RRsets", site.stage.name(), mess.what);
            // The foreign values of sets that were written are there as they were.
            let same = before.1.iter().filter(|line| after.1.contains(line)).count();
            assert!(same >= kept, "{} {}: {:#?} became {:#?}", site.stage.name(), mess.what, before.1, after.1);
        }
    });
}

/// Lines of sets that nothing writes, without the SOA, whose serial the services raise; and the others.
fn rest(lines: &[String], touched: impl Fn(&str) -> bool) -> (Vec<&String>, Vec<&String>) {
    lines.iter().filter(|line| !line.contains(" SOA ")).partition(|line| !touched(line))
}

#[test]
fn a_cname_at_a_shared_name_is_refused() {
    each(|make| {
        let stage = make();
        let domain = "dmarc = { policy = \"none\" }\n[domains.\"news.example.test\"]\nspf = \"v=spf1 -all\"\nprovider = \"service\"\n";
        let site = Site::new(stage, "example.test", domain, &["news 3600 CNAME x.example.net."]);
        let before = site.stored();
        let refused = site.run(1, &["apply", "--yes", "--format", "json", "--allow", "GUARD-CNAME"]).json();
        assert_eq!(refused["zones"][0]["error"]["kind"], "refused");
        let message = refused["zones"][0]["error"]["message"].as_str().unwrap();
        assert!(message.contains("news.example.test. is a CNAME (x.example.net.)"), "{message}");
        assert_eq!(before, site.stored());
    });
}

#[test]
fn guards_stop_before_anything_is_written() {
    each(|make| {
        let domain = "spf = \"absent\"\n";
        let site = Site::new(make(), "example.test", domain, &["@ 3600 TXT \"v=spf1 mx -all\""]);
        let before = site.stored();
        let stopped = site.run(4, &["apply", "--yes", "--format", "json"]).json();
        assert_eq!(guards(&stopped["zones"][0]), ["GUARD-SPF"]);
        assert_eq!(before, site.stored());
        assert!(site.stage.log().iter().all(|request| !request.write));
    });
}

#[test]
fn a_saved_plan_writes_nothing_over_what_somebody_else_did() {
    each(|make| {
        let domain = "spf = \"v=spf1 mx -all\"\ndmarc = { policy = \"none\" }\n";
        let records = ["@ 3600 TXT \"a token\"", "@ 3600 TXT \"v=spf1 mx ~all\"", "www 3600 A 192.0.2.1"];
        let site = Site::new(make(), "example.test", domain, &records);
        site.run(0, &["plan", "--out", "plan.json"]);
        let apex = site.zone.name.clone();
        let texts = ["a token", "v=spf1 mx ~all", "a new token"];
        let key = RRsetKey { name: apex.clone(), rtype: RecordType::TXT };
        let ttl = Ttl::from_secs(3600);
        let values = texts.iter().map(|text| Rdata::Txt(Txt::from_text(text)).into()).collect();
        site.stage.edit(&site.zone, &key, Some(&RRset::new(apex, RecordType::TXT, ttl, values)));
        let before = site.stage.served();
        site.run(5, &["apply", "--yes", "./plan.json"]);
        assert_eq!(before, site.stage.served(), "{}", site.stage.name());
        // Elsewhere in the zone is no conflict, and a new plan takes the new token along.
        site.run(0, &["apply", "--yes"]);
        let after = site.stage.served();
        for text in ["a token", "a new token", "v=spf1 mx -all"] {
            assert!(after.iter().any(|line| line.contains(text)), "{}: {after:#?}", site.stage.name());
        }
    });
}
